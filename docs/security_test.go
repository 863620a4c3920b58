// Package docs has the test of what the pages here say of the tests.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"afunix/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// Every test that docs/SECURITY.md names exists, and it names every attack of package endpoint's.
func TestSecurityDocumentNamesItsTests(t *testing.T) {
	document, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(document), -1) {
		named[m[1]] = true
	}
	exists := testFunctions(t)
	for name := range named {
		if exists[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name, in := range exists {
		if strings.HasPrefix(name, "TestP7") && strings.HasPrefix(in, filepath.Join("..", "internal", "endpoint")) && !named[name] {
			t.Errorf("%s is not named", name)
		}
	}
	if len(named) < 50 {
		t.Errorf("only %d tests are named", len(named))
	}
}

// testFunctions returns the tests and fuzz targets of this module, for every system, and where they
// are.
func testFunctions(t *testing.T) map[string]string {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
	found := make(map[string]string)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != ".." {
			return fs.SkipDir // .git, and what scripts keep in .cache
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(source, -1) {
			found[string(m[1])] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
