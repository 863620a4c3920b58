package layers

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"afunix/internal/testenv"
)

// The files of a package that says in its comment how they lie upon each other use none above them
// but those that the comment explains.
func TestFilesOfEndpoint(t *testing.T) {
	s := load(t, "internal/endpoint")
	plan := readPlan(t, s)
	explained := make(map[string]bool)
	for from, to := range s.uses(t) {
		if plan.layer[from] == 0 {
			t.Errorf("doc.go has no place for %s", from)
		}
		for file, name := range to {
			switch key := from + " → " + file; {
			case plan.layer[file] <= plan.layer[from]:
			case plan.upward[key]:
				explained[key] = true
			default:
				t.Errorf("%s uses %s of %s, which is above it", from, name, file)
			}
		}
	}
	for file := range plan.layer {
		if !slices.ContainsFunc(s.files, func(f *ast.File) bool { return s.file(f.Pos()) == file }) {
			t.Errorf("doc.go has a place for %s, which does not exist", file)
		}
	}
	for key := range plan.upward {
		if !explained[key] {
			t.Errorf("doc.go explains %s, and that is not so", key)
		}
	}
}

// The parts of a session change their fields themselves: what holds of them can be seen in one
// file.
func TestPartsAreChangedByThemselves(t *testing.T) {
	s := load(t, "internal/endpoint")
	parts := map[string][]string{ // but for the function that makes them, and these fields
		"turn":     {"c", "relief", "done"},
		"pen":      {"c"},
		"incoming": {"s", "cond", "deadline", "buffer"},
		"outgoing": {"s", "deadline", "buffer"},
	}
	s.changes(func(field *types.Var, of string, by *ast.FuncDecl) {
		free, ok := parts[of]
		if ok && receiver(by) != of && !slices.Contains(free, field.Name()) {
			t.Errorf("%s is changed by %s in %s", of+"."+field.Name(), by.Name.Name, s.file(by.Pos()))
		}
	})
}

// Once the greeting is over, a pipe is read in one place, and written to in one.
func TestPipesAreReadAndWrittenInOnePlace(t *testing.T) {
	places := map[string][]string{
		"Read":    {"greeting.go", "turn.go"},
		"ReadNow": {"turn.go"},
		"Write":   {"greeting.go", "pen.go"},
	}
	s := load(t, "internal/endpoint")
	for selector, selection := range s.info.Selections {
		method := selection.Obj()
		files, ok := places[method.Name()]
		if !ok || method.Pkg() == nil || method.Pkg().Path() != module+"/internal/pipe" {
			continue
		}
		if file := s.file(selector.Pos()); !slices.Contains(files, file) {
			t.Errorf("%s calls %s of a pipe", file, method.Name())
		}
	}
}

// maxMethods is how many methods a type may have.
const maxMethods = 60

func TestNoTypeOfEndpointDoesEverything(t *testing.T) {
	s := load(t, "internal/endpoint")
	count := make(map[string]int)
	for _, f := range s.files {
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				count[receiver(f)]++
			}
		}
	}
	for name, n := range count {
		if n > maxMethods {
			t.Errorf("%s has %d methods", name, n)
		}
	}
}

// maxBools is how many bools the state of a connection may have: states that exclude each other are
// one value. Package sock has others, of a socket's.
const maxBools = 15

func TestAConnectionHasFewBools(t *testing.T) {
	s := load(t, "internal/endpoint")
	conn := s.pkg.Scope().Lookup("Conn").Type()
	if bools := s.bools(conn, "Conn"); len(bools) > maxBools {
		t.Errorf("%d bools: %s", len(bools), strings.Join(bools, ", "))
	} else {
		t.Log(bools)
	}
}

// bools returns the names of the bools in t, and in what the package has put into t.
func (s *source) bools(t types.Type, name string) (names []string) {
	if named, ok := t.(*types.Named); ok && named.Obj().Pkg() != s.pkg {
		return nil
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if u.Kind() == types.Bool {
			names = append(names, name)
		}
	case *types.Struct:
		for f := range u.Fields() {
			names = append(names, s.bools(f.Type(), name+"."+f.Name())...)
		}
	}
	return names
}

// A source is the code of a package of this module, for Linux.
type source struct {
	set   *token.FileSet
	files []*ast.File
	info  types.Info
	pkg   *types.Package
}

func load(t *testing.T, folder string) *source {
	t.Helper()
	if testenv.Race {
		t.Skip("the race detector makes it slow, and there is nothing for it to see")
	}
	exports := make(map[string]string)
	out := goCommand(t, library, "linux", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./"+folder)
	for line := range strings.Lines(out) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			exports[path] = file
		}
	}
	s := &source{set: token.NewFileSet(), info: types.Info{Uses: make(map[*ast.Ident]types.Object), Selections: make(map[*ast.SelectorExpr]*types.Selection)}}
	names, err := filepath.Glob(filepath.Join(library, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(s.set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, f)
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	config := types.Config{Importer: importer.ForCompiler(s.set, "gc", lookup)}
	if s.pkg, err = config.Check(module+"/"+folder, s.set, s.files, &s.info); err != nil {
		t.Fatal(err)
	}
	return s
}

// file returns the name of the file that has pos.
func (s *source) file(pos token.Pos) string { return filepath.Base(s.set.Position(pos).Filename) }

// uses returns, for each file, which others it uses, and of each something that it uses: functions,
// methods, types, constants and variables of the package. A field belongs to its type.
func (s *source) uses(t *testing.T) map[string]map[string]string {
	t.Helper()
	uses := make(map[string]map[string]string)
	for _, f := range s.files {
		uses[s.file(f.Pos())] = make(map[string]string)
	}
	for id, of := range s.info.Uses {
		if of.Pkg() != s.pkg || !s.declared(of) {
			continue
		}
		if from, to := s.file(id.Pos()), s.file(of.Pos()); from != to {
			uses[from][to] = of.Name()
		}
	}
	return uses
}

// declared reports whether o is declared by the package, and not within a function or a type.
func (s *source) declared(o types.Object) bool {
	if f, ok := o.(*types.Func); ok && f.Signature().Recv() != nil {
		return true
	}
	return o.Parent() == s.pkg.Scope()
}

// changes calls do for each place where a field of the package is assigned to.
func (s *source) changes(do func(field *types.Var, of string, by *ast.FuncDecl)) {
	for _, f := range s.files {
		for _, d := range f.Decls {
			by, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(by, func(n ast.Node) bool {
				for _, left := range assigned(n) {
					if field, of := s.field(left); field != nil {
						do(field, of, by)
					}
				}
				return true
			})
		}
	}
}

// assigned returns what n assigns to.
func assigned(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	}
	return nil
}

// field returns the field that e is, and the type that it is of: that which e names, if it is a
// field of a part of that.
func (s *source) field(e ast.Expr) (field *types.Var, of string) {
	selector, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok {
		return nil, ""
	}
	selection, ok := s.info.Selections[selector]
	if !ok || selection.Kind() != types.FieldVal || selection.Obj().Pkg() != s.pkg {
		return nil, ""
	}
	t := selection.Recv()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if named, ok := t.(*types.Named); ok {
		of = named.Obj().Name()
	}
	return selection.Obj().(*types.Var), of
}

// receiver returns the name of the type that f is a method of; "" if it is none.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	t := f.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	return t.(*ast.Ident).Name
}

// A plan is how the files of a package lie upon each other, as the package's comment has it.
type plan struct {
	layer  map[string]int  // of each file, from 1 for the lowest
	upward map[string]bool // uses of a file above, which are explained
}

var (
	goFile = regexp.MustCompile(`\b\w+\.go\b`)
	exempt = regexp.MustCompile(`^\t(.*) → (.*): \w`)
	titled = regexp.MustCompile(`^\t\w`)
)

// readPlan reads the two tables in the comment of doc.go. In the first, a line that begins with a
// title begins a layer, from the highest down. In the second, each line has the users, an arrow,
// those that are used, and why.
func readPlan(t *testing.T, s *source) plan {
	t.Helper()
	p := plan{make(map[string]int), make(map[string]bool)}
	layers := 0
	for _, f := range s.files {
		if s.file(f.Pos()) != "doc.go" {
			continue
		}
		p.layer["doc.go"] = 1
		for line := range strings.Lines(strings.ReplaceAll(f.Doc.Text(), "\n    ", "\n\t")) {
			if m := exempt.FindStringSubmatch(line); m != nil {
				for _, from := range goFile.FindAllString(m[1], -1) {
					for _, to := range goFile.FindAllString(m[2], -1) {
						p.upward[from+" → "+to] = true
					}
				}
				continue
			}
			names := goFile.FindAllString(line, -1)
			if !strings.HasPrefix(line, "\t") || len(names) == 0 {
				continue
			}
			if titled.MatchString(line) {
				layers++
			}
			for _, name := range names {
				p.layer[name] = -layers
			}
		}
	}
	for name, below := range p.layer {
		if below < 0 {
			p.layer[name] = layers + 1 + below
		}
	}
	if layers < 2 {
		t.Fatal("doc.go has no table of files")
	}
	return p
}
