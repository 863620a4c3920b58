// Package layers has the tests of who may import whom, of what go.mod requires, and of the files of
// package endpoint.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "afunix"

// allowed lists, for each package that has a place in the layers, which packages of this module its
// code may import. Tests may import anything.
var allowed = map[string][]string{
	module: {"internal/transports", "internal/transport", "internal/inherit", "internal/received", "internal/descriptor",
		"internal/cred", "internal/errno", "internal/lookalike", "internal/longpath", "internal/sockfile"},
	"afunix/internal/transports": {"internal/transport", "internal/kernel", "internal/piped", "internal/plain", "internal/pipe", "internal/lookalike"},
	"afunix/internal/plain":      {"internal/transport", "internal/kernel", "internal/winpipe", "internal/pipe", "internal/winfile", "internal/lookalike", "internal/descriptor", "internal/cred"},
	"afunix/internal/piped":      {"internal/transport", "internal/plain", "internal/endpoint", "internal/pipe", "internal/sock", "internal/linuxpipe", "internal/winpipe", "internal/lookalike"},
	"afunix/internal/kernel":     {"internal/locks", "internal/transport", "internal/descriptor", "internal/cred", "internal/sockfile", "internal/permission", "internal/lookalike", "internal/longpath"},
	"afunix/internal/endpoint":   {"internal/locks", "internal/transport", "internal/move", "internal/pipe", "internal/sock", "internal/wire", "internal/rights", "internal/descriptor", "internal/cred"},
	"afunix/internal/move":       {"internal/pipe", "internal/sock", "internal/wire", "internal/rights", "internal/descriptor"},
	"afunix/internal/rights":     {"internal/pipe", "internal/wire", "internal/descriptor"},
	"afunix/internal/wire":       {"internal/sock"},
	"afunix/internal/sock":       {},
	"afunix/internal/pipe":       {"internal/sock", "internal/wire", "internal/cred"},
	"afunix/internal/linuxpipe":  {"internal/locks", "internal/pipe", "internal/sock", "internal/cred", "internal/sockfile", "internal/permission", "internal/longpath"},
	"afunix/internal/winpipe":    {"internal/locks", "internal/pipe", "internal/sock", "internal/descriptor", "internal/cred", "internal/lookalike", "internal/longpath", "internal/winfile"},
	"afunix/internal/inherit":    {"internal/locks", "internal/descriptor", "internal/errno"},
	"afunix/internal/received":   {"internal/transport", "internal/kernel", "internal/winsock", "internal/descriptor"},
	"afunix/internal/winfile":    {"internal/lookalike"},
	"afunix/internal/winsock":    {"internal/locks"},
	"afunix/internal/transport":  {"internal/descriptor", "internal/cred"},
	"afunix/internal/descriptor": {"internal/locks", "internal/sock", "internal/errno"},
	"afunix/internal/sockfile":   {"internal/errno", "internal/longpath", "internal/lookalike", "internal/winfile"},
	"afunix/internal/lookalike":  {"internal/errno"},
	"afunix/internal/activated":  {},
	"afunix/internal/cred":       {},
	"afunix/internal/locks":      {},
	"afunix/internal/longpath":   {},
	"afunix/internal/permission": {},
	"afunix/internal/errno":      {},
	"afunix/internal/platforms":  {},
	"afunix/activation":          {".", "internal/activated", "internal/descriptor", "internal/errno"},
	"afunix/upgrade":             {"internal/locks", ".", "activation", "internal/activated", "internal/errno", "internal/longpath", "internal/sockfile", "internal/lookalike", "internal/winfile"},
	"afunix/upgrade/httpdrain":   {"internal/locks"},

	"afunix/dropin/net":              {"internal/locks", ".", "dropin/internal/ends", "internal/winsock", "internal/received", "internal/descriptor", "internal/sockfile", "internal/winfile"},
	"afunix/dropin/syscall":          {"dropin/internal/ends", "dropin/internal/control"},
	"afunix/dropin/unix":             {"dropin/internal/ends", "dropin/syscall"},
	"afunix/dropin/internal/ends":    {"internal/locks", ".", "dropin/internal/control", "internal/descriptor", "internal/sock"},
	"afunix/dropin/internal/control": {},
	"afunix/dropin/internal/gen":     {"internal/platforms"},

	"afunix/cmd/afunix":                {".", "internal/lookalike", "cmd/afunix/internal/demo", "cmd/afunix/internal/mux", "cmd/afunix/internal/relay", "cmd/afunix/internal/show"},
	"afunix/cmd/afunix/internal/demo":  {".", "cmd/afunix/internal/show"},
	"afunix/cmd/afunix/internal/mux":   {},
	"afunix/cmd/afunix/internal/relay": {".", "activation", "cmd/afunix/internal/mux", "internal/sockfile"},
	"afunix/cmd/afunix/internal/show":  {},
}

// Where the modules are: the library, and the command.
var (
	library = filepath.Join("..", "..")
	command = filepath.Join(library, "cmd", "afunix")
)

// pure lists the packages that may import nothing but the standard library, and of that nothing
// that does I/O.
var pure = []string{"afunix/internal/sock", "afunix/internal/wire"}

var impure = []string{"os", "net", "syscall", "sync", "time", "golang.org/x/sys"}

type pkg struct {
	ImportPath string
	Imports    []string
}

// list adds the packages of the module in a folder to packages. Modules that it requires need not
// be here.
func list(t *testing.T, packages map[string]pkg, goos, folder string) {
	t.Helper()
	out := goCommand(t, folder, goos, "list", "-e", "-tags", "afunix_pipe", "-json=ImportPath,Imports", "./...")
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

// goCommand returns what the go command prints in a folder, where it builds for goos.
func goCommand(t *testing.T, folder, goos string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = folder
	cmd.Env = append(cmd.Environ(), "GOOS="+goos, "CGO_ENABLED=0", "GOWORK=off")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no go command here")
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, complaints.String())
	}
	return string(out)
}

var systems = []string{"linux", "windows", "darwin", "freebsd"}

func TestLayers(t *testing.T) {
	found := make(map[string]bool)
	for _, goos := range systems {
		packages := make(map[string]pkg)
		list(t, packages, goos, library)
		if hasCommand(t) {
			list(t, packages, goos, command)
		}
		for path, may := range allowed {
			p, ok := packages[path]
			found[path] = found[path] || ok
			for _, imp := range p.Imports {
				if !permitted(path, imp, may) || slices.Contains(pure, path) && isImpure(imp) {
					t.Errorf("%s: %s imports %s", goos, path, imp)
				}
			}
		}
	}
	for path := range allowed {
		if !found[path] && (hasCommand(t) || !isCommand(path)) {
			t.Errorf("there is no package %s", path)
		}
	}
}

func isImpure(imp string) bool {
	return slices.ContainsFunc(impure, func(not string) bool { return imp == not || strings.HasPrefix(imp, not+"/") })
}

// hasCommand reports whether the command is here. It is in the repository, but not in the library's
// zip file, which has no other module in it.
func hasCommand(t *testing.T) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(command, "go.mod"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// isCommand reports whether a package is of the command's module.
func isCommand(path string) bool {
	return path == "afunix/cmd/afunix" || strings.HasPrefix(path, "afunix/cmd/afunix/")
}

// permitted reports whether path may import imp: the standard library, golang.org/x/sys, what the
// command needs, and what may says.
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
	return isCommand(path)
}

// A program that is built with this module gets golang.org/x/sys with it, and nothing else.
func TestUsersGetOneModule(t *testing.T) {
	for _, goos := range systems {
		out := goCommand(t, library, goos, "list", "-deps", "-tags", "afunix_pipe", "-f",
			"{{with .Module}}{{.Path}}{{end}}",
			".", "./activation/...", "./upgrade/...", "./dropin/...")
		paths := slices.Compact(slices.Sorted(strings.FieldsSeq(out)))
		if !slices.Equal(paths, []string{module, "golang.org/x/sys"}) {
			t.Errorf("%s: what users import is of the modules %v", goos, paths)
		}
	}
}

// required says what go.mod requires, and what for.
var required = map[string]string{
	"golang.org/x/sys":   "the library",
	"golang.org/x/net":   "tests: connections held to package net's, HTTP/2, options of UDP sockets",
	"golang.org/x/text":  "golang.org/x/net",
	"go.uber.org/goleak": "tests: goroutines that are left behind",
	"pgregory.net/rapid": "tests: random runs beside a model",
}

func TestRequirements(t *testing.T) {
	var file struct {
		Require []struct{ Path string }
		Replace []struct{}
	}
	if err := json.Unmarshal([]byte(goCommand(t, library, "linux", "mod", "edit", "-json")), &file); err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Require {
		if required[r.Path] == "" {
			t.Errorf("go.mod requires %s; what the command or the benchmarks use, their own go.mod requires", r.Path)
		}
	}
	if len(file.Require) != len(required) {
		t.Errorf("go.mod requires %d modules, and %d are listed here", len(file.Require), len(required))
	}
	if len(file.Replace) > 0 {
		t.Error("go.mod replaces a module, which means nothing to whoever requires this one")
	}
}
