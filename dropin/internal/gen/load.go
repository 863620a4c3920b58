package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
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
}

// load returns the exports of the package at path on a system. One that does not exist there has none.
func load(path, goos, goarch string) (map[string]export, error) {
	list, err := list(path, goos, goarch)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	done := map[string]*types.Package{"unsafe": types.Unsafe}
	for _, l := range list { // dependencies come first
		if l.ImportPath == "unsafe" {
			continue
		}
		if len(l.GoFiles) == 0 {
			return map[string]export{}, nil
		}
		var files []*ast.File
		for _, name := range l.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
		config := types.Config{
			IgnoreFuncBodies: true,
			FakeImportC:      true,
			Importer:         importer{done, l.ImportMap},
			Sizes:            types.SizesFor("gc", goarch),
		}
		if done[l.ImportPath], err = config.Check(l.ImportPath, fset, files, nil); err != nil {
			return nil, err
		}
	}
	return exportsOf(done[path])
}

func list(path, goos, goarch string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap", path)
	cmd.Env = append(cmd.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
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

// declared returns the exported names that the hand-written files of this folder declare on a system, with the given build tags.
func declared(goos string, tags []string) (map[string]bool, error) {
	context := build.Default
	context.GOOS, context.GOARCH, context.BuildTags = goos, "amd64", tags
	entries, err := os.ReadDir(".")
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || generated(name) {
			continue
		}
		match, err := context.MatchFile(".", name)
		if err != nil {
			return nil, err
		}
		if !match {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			declare(names, d)
		}
	}
	return names, nil
}

func declare(names map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names[d.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names[s.Name.Name] = true
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names[n.Name] = true
				}
			}
		}
	}
}
