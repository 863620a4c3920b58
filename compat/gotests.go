package main

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A goTest is a file of Go's own tests, of which a copy is made.
type goTest struct {
	file string   // below GOROOT/src
	to   string   // the folder of the copy
	keep []string // functions; nil: all of them
}

var goTests = []goTest{
	{"net/unixsock_test.go", "unixsock", nil},
	{"net/unixsock_linux_test.go", "unixsock", nil},
	{"net/unixsock_readmsg_test.go", "unixsock", nil},
	{"net/file_test.go", "unixsock", nil},
	{"net/mockserver_test.go", "unixsock", nil},
	{"syscall/syscall_unix_test.go", "passfd", []string{"TestPassFD", "passFDChild", "TestUnixRightsRoundtrip"}},
}

// internals are packages that nothing but Go itself may import, and what stands in for them.
var internals = map[string]string{
	"internal/testenv":      "gotests/testenv",
	"internal/syscall/unix": "gotests/unix",
}

// fromGo makes a module of Go's own tests, in which what they test is imported: the tests of
// package net are in that package.
func fromGo(b *bench) (string, error) {
	out, err := output(exec.Command("go", "env", "GOROOT"))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.scratch, "gotests")
	if err := copyTree(filepath.Join(b.root, "compat/testdata/gotests"), dir); err != nil {
		return "", err
	}
	for _, t := range goTests {
		path := filepath.Join(strings.TrimSpace(string(out)), "src", t.file)
		text, err := t.transform(path)
		if err != nil {
			return "", err
		}
		if err := os.MkdirAll(filepath.Join(dir, t.to), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, t.to, filepath.Base(t.file)), text, 0o644); err != nil {
			return "", err
		}
	}
	return dir, b.command(dir, "go", "mod", "tidy")
}

// transform returns the file with another package clause and other imports, and perhaps with fewer
// functions.
func (t goTest) transform(path string) ([]byte, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:build ") {
				fmt.Fprintf(&b, "%s\n\n", c.Text)
			}
		}
	}
	fmt.Fprintf(&b, "package %s\n\nimport (\n", t.to)
	if f.Name.Name == "net" {
		fmt.Fprintln(&b, `. "net"`)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var body strings.Builder
	used := make(map[string]bool)
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT || !t.wants(d) {
			continue
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if id, ok := s.X.(*ast.Ident); ok {
					used[id.Name] = true
				}
			}
			return true
		})
		body.Write(text[fset.Position(d.Pos()).Offset:fset.Position(d.End()).Offset])
		body.WriteString("\n\n")
	}
	for _, i := range f.Imports {
		old, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		name := old[strings.LastIndexByte(old, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		if name != "." && !used[name] {
			continue
		}
		if to, ok := internals[old]; ok {
			old = to
		}
		fmt.Fprintf(&b, "%s %q\n", name, old)
	}
	b.WriteString(")\n\n")
	b.WriteString(body.String())
	return format.Source([]byte(b.String()))
}

func (t goTest) wants(d ast.Decl) bool {
	f, ok := d.(*ast.FuncDecl)
	if t.keep == nil {
		return true
	}
	for _, name := range t.keep {
		if ok && f.Name.Name == name {
			return true
		}
	}
	return false
}
