package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// swaps are the imports that change.
var swaps = map[string]string{
	"net":                   "afunix/dropin/net",
	"syscall":               "afunix/dropin/syscall",
	"golang.org/x/sys/unix": "afunix/dropin/unix",
}

// download returns where the go command has put a module.
func download(module, version string) (string, error) {
	out, err := output(exec.Command("go", "mod", "download", "-json", module+"@"+version))
	if err != nil {
		return "", err
	}
	var d struct{ Dir, Error string }
	if err := json.Unmarshal(out, &d); err != nil {
		return "", err
	}
	if d.Error != "" {
		return "", errors.New(d.Error)
	}
	return d.Dir, nil
}

// copyTree copies a module, which may be changed then.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir() && (d.Name() == "vendor" || d.Name() == ".git"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
}

// goFiles calls change for each Go file below dir, and writes what it returns.
func goFiles(dir string, change func(path, text string) (string, error)) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		changed, err := change(path, string(text))
		if err != nil || changed == string(text) {
			return err
		}
		return os.WriteFile(path, []byte(changed), 0o644)
	})
}

// swapImports changes the paths of imports in a file, and nothing else.
func swapImports(path, text string) (string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, text, parser.ImportsOnly)
	if err != nil {
		return "", err
	}
	for i := len(f.Imports) - 1; i >= 0; i-- { // from the end, so that positions stay right
		lit := f.Imports[i].Path
		old, err := strconv.Unquote(lit.Value)
		if err != nil {
			return "", err
		}
		if to, ok := swaps[old]; ok {
			at := fset.Position(lit.Pos()).Offset
			text = text[:at] + strconv.Quote(to) + text[at+len(lit.Value):]
		}
	}
	return text, nil
}

var constraint = regexp.MustCompile(`(?m)^//(go:build| \+build) .*\n`)

// lift removes what keeps a file from being built on Windows: its build constraint, or the end of
// its name. It returns the name that the file then has.
func lift(dir, file string) error {
	path := filepath.Join(dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	to := path
	for _, system := range []string{"_linux", "_unix"} {
		to = strings.Replace(to, system+"_test.go", "_lifted_test.go", 1)
		to = strings.Replace(to, system+".go", "_lifted.go", 1)
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(to, constraint.ReplaceAll(text, nil), 0o644)
}

// prepare makes the copy of a module in which its tests are run. With dropin its imports are
// changed.
func (b *bench) prepare(s subject, from, name string, dropin, windows bool) (string, error) {
	dir := filepath.Join(b.scratch, regexp.MustCompile(`[^a-zA-Z0-9.]+`).ReplaceAllString(s.module, "_")+"-"+name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := copyTree(from, dir); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); errors.Is(err, fs.ErrNotExist) {
		if err := b.command(dir, "go", "mod", "init", s.module); err != nil {
			return "", err
		}
	}
	if windows {
		for _, file := range s.dropped {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				return "", err
			}
		}
		for _, file := range s.lifted {
			if err := lift(dir, file); err != nil {
				return "", err
			}
		}
	}
	if dropin {
		if err := goFiles(dir, swapImports); err != nil {
			return "", err
		}
		err := b.command(dir, "go", "mod", "edit", "-go=1.26.0", "-require=afunix@v0.0.0", "-replace=afunix="+b.root)
		if err != nil {
			return "", err
		}
	}
	if !dropin && s.hasMod(from) {
		return dir, nil
	}
	return dir, b.command(dir, "go", "mod", "tidy")
}

func (s subject) hasMod(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// command runs a command that prints nothing unless it fails.
func (b *bench) command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, fmt.Errorf("%w: %s%s", err, exit.Stderr, out)
	}
	return out, err
}

// wineOverlay adds to the overlay with which tests are built for Wine one more file: Wine 8 cannot
// delete a file in the newer of the two ways that package os has (FileDispositionInformationEx),
// and answers with an error that package os does not expect. Without it every test that uses
// T.TempDir fails. The copy uses the older way.
func wineOverlay(base, scratch string) (string, error) {
	text, err := os.ReadFile(base)
	if err != nil {
		return "", err
	}
	var overlay struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &overlay); err != nil {
		return "", err
	}
	root, err := output(exec.Command("go", "env", "GOROOT"))
	if err != nil {
		return "", err
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src/internal/syscall/windows/at_windows.go")
	code, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const before, after = "var TestDeleteatFallback bool", "var TestDeleteatFallback = true"
	patched := strings.Replace(string(code), before, after, 1)
	if patched == string(code) {
		return "", fmt.Errorf("%s does not look as expected: no %q", original, before)
	}
	copied := filepath.Join(scratch, "at_windows.go")
	if err := os.WriteFile(copied, []byte(patched), 0o644); err != nil {
		return "", err
	}
	overlay.Replace[original] = copied
	if text, err = json.Marshal(overlay); err != nil {
		return "", err
	}
	path := filepath.Join(scratch, "overlay.json")
	return path, os.WriteFile(path, text, 0o644)
}
