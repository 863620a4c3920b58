package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
		if !strings.Contains(string(text), fmt.Sprintf("| %d | %s | %s |", r.Number, r.Types, r.Text())) {
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

// Each row can be read without the one above it, and no row is there twice.
func TestEachRowIsComplete(t *testing.T) {
	last := 0
	for _, r := range Rows {
		if r.Number <= last {
			t.Errorf("row %d comes behind row %d", r.Number, last)
		}
		last = r.Number
		if strings.HasPrefix(r.Behaviour, "…") || !strings.HasSuffix(strings.TrimSuffix(r.Behaviour, ")"), ".") {
			t.Errorf("row %d is no whole sentence: %q", r.Number, r.Behaviour)
		}
		if strings.Trim(r.Types, "sdq") != "" || r.Types == "" {
			t.Errorf("row %d is of types %q", r.Number, r.Types)
		}
		if strings.HasSuffix(r.Untested, ".") {
			t.Errorf("row %d: Untested ends with a full stop: %q", r.Number, r.Untested)
		}
	}
}

var (
	citation    = regexp.MustCompile(`\b[Rr]ows? (\d+(?:(?:,| and| to) \d+)*)`)
	number      = regexp.MustCompile(`\d+`)
	commentLine = regexp.MustCompile(`\n\s*//`)
)

// A row that a comment, a test or a page cites by its number exists.
func TestCitedRowsExist(t *testing.T) {
	if _, err := os.Stat("rows.go"); err != nil {
		t.Skip("the sources are not here:", err)
	}
	exists := map[string]bool{}
	for _, r := range Rows {
		exists[strconv.Itoa(r.Number)] = true
	}
	cited := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && len(entry.Name()) > 2 && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir // .git, and what scripts keep in .cache
		case filepath.Ext(path) != ".go" && filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		joined := commentLine.ReplaceAll(text, nil) // a citation may go on in the next line
		for _, m := range citation.FindAllSubmatch(joined, -1) {
			for _, n := range number.FindAll(m[1], -1) {
				cited++
				if !exists[string(n)] {
					t.Errorf("%s cites row %s, which does not exist", path, n)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if cited < 100 {
		t.Errorf("only %d citations were found", cited)
	}
}
