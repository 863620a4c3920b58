package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each row has a test, each test a row, and the document a line for each.
func TestEveryRowIsTested(t *testing.T) {
	tests := map[string]bool{}
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Skip("the sources are not here:", err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "TestRow") {
				tests[fn.Name.Name] = true
			}
		}
	}
	text, err := os.ReadFile("../../docs/CONFORMANCE.md")
	if err != nil {
		t.Error(err)
	}
	for _, r := range Rows {
		name := fmt.Sprintf("TestRow%03d", r.Number)
		if !tests[name] {
			t.Errorf("row %d has no test", r.Number)
		}
		delete(tests, name)
		if !strings.Contains(string(text), fmt.Sprintf("| %d | %s | %s", r.Number, r.Types, r.Title)) {
			t.Errorf("row %d is not in docs/CONFORMANCE.md: run make conformance", r.Number)
		}
	}
	for name := range tests {
		t.Errorf("%s is of no row", name)
	}
	if len(Rows) != 111 {
		t.Errorf("%d rows, want 111", len(Rows))
	}
}
