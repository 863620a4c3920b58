package platforms

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/types"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
)

// A listed package is what "go list" says of it.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	ImportMap  map[string]string
	Module     *struct{ Main bool }
}

// Check type-checks packages, and what they depend on, as they are for p without cgo. Packages of
// the main module are checked in full, others only for what they declare. Check returns the
// packages by their paths. A package that does not exist for p is not among them.
func (p Platform) Check(tags string, patterns ...string) (map[string]*types.Package, error) {
	return p.check(append([]string{"-tags", tags}, patterns...))
}

// CheckTests is Check, of the packages and of their tests.
func (p Platform) CheckTests(patterns ...string) error {
	_, err := p.check(append([]string{"-test"}, patterns...))
	return err
}

func (p Platform) check(args []string) (map[string]*types.Package, error) {
	list, err := p.list(args)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", p, err)
	}
	c := checker{p, map[string]*types.Package{"unsafe": types.Unsafe}}
	for _, l := range list { // dependencies come first; the main packages of tests are not written yet
		if l.ImportPath == "unsafe" || len(l.GoFiles) == 0 || strings.HasSuffix(l.ImportPath, ".test") {
			continue
		}
		if err := c.check(l); err != nil {
			return nil, fmt.Errorf("%v: %w", p, err)
		}
	}
	return c.done, nil
}

func (p Platform) list(args []string) ([]listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-e", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module"}, args...)...)
	cmd.Env = append(cmd.Environ(), "GOOS="+p.System, "GOARCH="+p.Arch, "CGO_ENABLED=0")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, complaints.String())
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		switch err := dec.Decode(&l); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, l)
	}
}

type checker struct {
	platform Platform
	done     map[string]*types.Package
}

func (c checker) check(l listed) error {
	ours := l.Module != nil && l.Module.Main
	var files []*ast.File
	for _, name := range l.GoFiles {
		f, err := sources.parse(filepath.Join(l.Dir, name), ours)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	config := types.Config{
		IgnoreFuncBodies: !ours,
		FakeImportC:      true,
		Importer:         importer{c.done, l.ImportMap},
		Sizes:            types.SizesFor("gc", c.platform.Arch),
	}
	path, _, _ := strings.Cut(l.ImportPath, " ") // one that is built for a test is "path [path.test]"
	var err error
	c.done[l.ImportPath], err = config.Check(path, sources.fset, files, nil)
	return err
}

// importer finds packages among those that have been checked already.
type importer struct {
	done     map[string]*types.Package
	vendored map[string]string
}

func (i importer) Import(path string) (*types.Package, error) {
	if real, ok := i.vendored[path]; ok {
		path = real
	}
	if p, ok := i.done[path]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("%s has not been loaded", path)
}
