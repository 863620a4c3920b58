// Package layers has one test: who may import whom.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "afunix"

// allowed lists, for each package that has a place in the layers, which packages of this module its code may import. Tests may import
// anything.
var allowed = map[string][]string{
	module: {"internal/kernel", "internal/endpoint", "internal/linuxpipe", "internal/winpipe", "internal/winsock",
		"internal/transport", "internal/sock", "internal/descriptor", "internal/cred", "internal/errno",
		"internal/lookalike"},
	"afunix/internal/kernel":     {"internal/transport", "internal/descriptor", "internal/cred", "internal/sockfile", "internal/lookalike"},
	"afunix/internal/endpoint":   {"internal/transport", "internal/sock", "internal/wire", "internal/rights", "internal/descriptor", "internal/cred"},
	"afunix/internal/rights":     {"internal/wire", "internal/descriptor"},
	"afunix/internal/sock":       {},
	"afunix/internal/wire":       {},
	"afunix/internal/linuxpipe":  {"internal/rights", "internal/cred", "internal/sockfile"},
	"afunix/internal/winpipe":    {"internal/rights", "internal/descriptor", "internal/cred", "internal/lookalike", "internal/winfile"},
	"afunix/internal/winfile":    {},
	"afunix/internal/winsock":    {},
	"afunix/internal/transport":  {"internal/descriptor", "internal/cred"},
	"afunix/internal/descriptor": {"internal/errno"},
	"afunix/internal/sockfile":   {},
	"afunix/internal/lookalike":  {"internal/errno"},
	"afunix/internal/cred":       {},
	"afunix/internal/errno":      {},
	"afunix/internal/platforms":  {},
	"afunix/cmd/afunix":          {".", "internal/lookalike"},
	"afunix/upgrade":             {".", "internal/errno", "internal/sockfile", "internal/lookalike", "internal/winfile"},
	"afunix/upgrade/httpdrain":   {},

	"afunix/dropin/net":              {".", "dropin/internal/ends", "internal/winsock", "internal/descriptor", "internal/sockfile", "internal/winfile"},
	"afunix/dropin/syscall":          {"dropin/internal/ends", "dropin/internal/control"},
	"afunix/dropin/unix":             {"dropin/internal/ends", "dropin/syscall"},
	"afunix/dropin/internal/ends":    {".", "dropin/internal/control", "internal/descriptor", "internal/sock"},
	"afunix/dropin/internal/control": {},
	"afunix/dropin/internal/gen":     {"internal/platforms"},
}

// pure lists the packages that may import nothing but the standard library, and of that nothing that does I/O.
var pure = []string{"afunix/internal/sock", "afunix/internal/wire"}

var impure = []string{"os", "net", "syscall", "sync", "time", "golang.org/x/sys"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T, goos string) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-tags", "afunix_pipe", "-json=ImportPath,Imports", "afunix/...")
	cmd.Env = append(cmd.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no go command here")
	}
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]pkg)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

func TestLayers(t *testing.T) {
	for _, goos := range []string{"linux", "windows", "darwin", "freebsd"} {
		packages := list(t, goos)
		for path, may := range allowed {
			for _, imp := range packages[path].Imports {
				if !permitted(path, imp, may) {
					t.Errorf("%s: %s imports %s", goos, path, imp)
				}
			}
		}
		for _, path := range pure {
			for _, imp := range packages[path].Imports {
				for _, not := range impure {
					if imp == not || strings.HasPrefix(imp, not+"/") {
						t.Errorf("%s: %s imports %s", goos, path, imp)
					}
				}
			}
		}
	}
}

// permitted reports whether path may import imp: the standard library, golang.org/x/sys, what the command needs, and
// what may says.
func permitted(path, imp string, may []string) bool {
	switch {
	case imp == module || strings.HasPrefix(imp, "afunix/"):
		for _, m := range may {
			if imp == "afunix/"+m || m == "." && imp == module {
				return true
			}
		}
		return false
	case !strings.Contains(strings.Split(imp, "/")[0], "."): // the standard library
		return true
	case strings.HasPrefix(imp, "golang.org/x/sys/"):
		return true
	}
	return path == "afunix/cmd/afunix"
}
