package docs

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence = regexp.MustCompile("(?s)```.*?```")
	link  = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	code  = regexp.MustCompile("`([^`\n]+)`")
	file  = regexp.MustCompile(`^[\w./*-]+\.(?:go|md|sh)$`)
	names = regexp.MustCompile(`^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$`)
)

// What a page of this repository refers to exists: the target of each relative link, and what
// stands in backquotes, be it a file or the name of a type, function, test or variable.
func TestPagesReferToWhatExists(t *testing.T) {
	src := readTree(t)
	if len(src.pages) < 10 {
		t.Errorf("only %d pages were found", len(src.pages))
	}
	references := 0
	for page, text := range src.pages {
		text = fence.ReplaceAllString(text, "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			references++
			if target := m[1]; !strings.Contains(target, "://") {
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
					t.Errorf("%s has a link to %s: %v", page, target, err)
				}
			}
		}
		for _, m := range code.FindAllStringSubmatch(text, -1) {
			switch name := m[1]; {
			case file.MatchString(name):
				references++
				if !src.hasFile(name) {
					t.Errorf("%s names the file %s, which does not exist", page, name)
				}
			case names.MatchString(name):
				references++
				if missing := src.missing(name); missing != "" {
					t.Errorf("%s names %s: there is no %s in the sources", page, name, missing)
				}
			}
		}
	}
	if references < 500 {
		t.Errorf("only %d references were found", references)
	}
}

// A tree is the text of this repository.
type tree struct {
	files   []string
	pages   map[string]string          // the text of each .md file
	words   map[string]bool            // of all other files
	members map[string]map[string]bool // what each package declares, and each type has
}

func readTree(t *testing.T) *tree {
	t.Helper()
	src := &tree{pages: map[string]string{}, words: map[string]bool{}, members: map[string]map[string]bool{}}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if hidden := strings.HasPrefix(entry.Name(), ".") && path != ".."; hidden && entry.Name() != ".github" {
				return fs.SkipDir // .git, and what scripts keep in .cache
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		src.files = append(src.files, filepath.ToSlash(path))
		text, err := os.ReadFile(path)
		if filepath.Ext(path) == ".md" {
			src.pages[path] = string(text)
			return err
		}
		for w := range bytes.FieldsFuncSeq(text, outsideWord) {
			src.words[string(w)] = true
		}
		if err == nil && filepath.Ext(path) == ".go" {
			err = src.declare(path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// hasFile reports whether there is a file whose path ends with name, which may be a pattern.
func (src *tree) hasFile(name string) bool {
	parts := strings.Count(name, "/") + 1
	for _, path := range src.files {
		all := strings.Split(path, "/")
		if len(all) < parts {
			continue
		}
		if ok, _ := filepath.Match(name, strings.Join(all[len(all)-parts:], "/")); ok {
			return true
		}
	}
	return false
}

// declare takes in what a Go file declares.
func (src *tree) declare(path string, text []byte) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			owner := f.Name
			if d.Recv != nil {
				owner = base(d.Recv.List[0].Type)
			}
			src.has(owner, d.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				src.declareSpec(f.Name, spec)
			}
		}
	}
	return nil
}

func (src *tree) declareSpec(pkg *ast.Ident, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			src.has(pkg, name)
		}
	case *ast.TypeSpec:
		src.has(pkg, spec.Name)
		var fields *ast.FieldList
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			fields = typ.Fields
		case *ast.InterfaceType:
			fields = typ.Methods
		default:
			return
		}
		for _, field := range fields.List {
			for _, name := range field.Names {
				src.has(spec.Name, name)
			}
			if len(field.Names) == 0 {
				src.has(spec.Name, base(field.Type))
			}
		}
	}
}

// base returns the name of a type, be it of a pointer, of another package, or with parameters.
func base(typ ast.Expr) *ast.Ident {
	switch typ := typ.(type) {
	case *ast.Ident:
		return typ
	case *ast.StarExpr:
		return base(typ.X)
	case *ast.SelectorExpr:
		return typ.Sel
	case *ast.IndexExpr:
		return base(typ.X)
	case *ast.IndexListExpr:
		return base(typ.X)
	}
	return ast.NewIdent("_")
}

func (src *tree) has(owner, member *ast.Ident) {
	members := src.members[owner.Name]
	if members == nil {
		members = map[string]bool{}
		src.members[owner.Name] = members
	}
	members[member.Name] = true
}

// missing returns the part of a dotted name that does not exist, or "". What belongs to a package
// or a type of this repository has to be declared; of any other name the sources have each part.
func (src *tree) missing(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		if !src.words[part] {
			return part
		}
		if i == 0 {
			continue
		}
		if members := src.members[parts[i-1]]; members != nil && !members[part] && !original[parts[i-1]] {
			return strings.Join(parts[i-1:i+1], ".")
		}
	}
	return ""
}

// original are packages of Go that have a namesake here.
var original = map[string]bool{"net": true, "syscall": true, "unix": true}

// outsideWord reports whether r is in no word of ASCII: a name is one.
func outsideWord(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}
