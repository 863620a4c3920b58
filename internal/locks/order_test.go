package locks

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// free are the folders whose mutexes the order need not have: what only tests and programs use.
var free = []string{"bench", "cmd", "compat", "examples", "internal/testenv", "internal/platforms", "internal/locks"}

// Every mutex of the library has a class, is declared where Order says, and Order has no others.
func TestOrderIsComplete(t *testing.T) {
	found := make(map[string]string)
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && (slices.Contains(free, rel) || rel != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go"):
			return nil
		}
		mutexes(t, path, found)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, l := range Order() {
		class := className(l.Class)
		if named[class] {
			t.Errorf("the order has %s twice", class)
		}
		named[class] = true
		if found[class] != l.Name {
			t.Errorf("the order says that %s is %s; the code has it at %q", class, l.Name, found[class])
		}
	}
	for class, name := range found {
		if !named[class] {
			t.Errorf("the order does not have %s, the class of %s", class, name)
		}
	}
}

// mutexes adds the mutexes that a file declares to found: their names by their classes.
func mutexes(t *testing.T, path string, found map[string]string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return
	}
	outer := []string{file.Name.Name}
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok {
			plain(t, path, decl)
			continue
		}
		for _, spec := range general.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				fields(t, path, append(outer, s.Name.Name), s.Type, found)
			case *ast.ValueSpec:
				fields(t, path, append(outer, s.Names[0].Name), s.Type, found)
			}
			plain(t, path, spec)
		}
	}
}

// fields adds the mutexes that a type has, which is declared as name.
func fields(t *testing.T, path string, name []string, typ ast.Expr, found map[string]string) {
	if class := mutexClass(typ); class != "" {
		if where := strings.Join(name, "."); found[class] == "" {
			found[class] = where
		} else {
			t.Errorf("%s: %s is of class %s, as %s is", path, where, class, found[class])
		}
	}
	body, ok := typ.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range body.Fields.List {
		for _, n := range f.Names {
			fields(t, path, append(slices.Clone(name), n.Name), f.Type, found)
		}
	}
}

// mutexClass returns C for locks.Mutex[locks.C], and for locks.RWMutex.
func mutexClass(typ ast.Expr) string {
	index, ok := typ.(*ast.IndexExpr)
	if !ok || !isSelector(index.X, "locks", "Mutex", "RWMutex") {
		return ""
	}
	if s, ok := index.Index.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

// plain complains of each mutex without a class.
func plain(t *testing.T, path string, node ast.Node) {
	ast.Inspect(node, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok && isSelector(e, "sync", "Mutex", "RWMutex") {
			t.Errorf("%s has a sync.%s: make it a locks.%[2]s, and give it a class and a place in the order (order.go)",
				path, e.(*ast.SelectorExpr).Sel.Name)
		}
		return true
	})
}

func isSelector(e ast.Expr, pkg string, names ...string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg && slices.Contains(names, s.Sel.Name)
}

func className(c Class) string {
	_, name, _ := strings.Cut(fmt.Sprintf("%T", c), ".")
	return name
}
