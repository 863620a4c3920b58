package main

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
)

// packages are those of a platform, by their paths.
type packages map[string]*types.Package

// load returns the originals of the packages at paths.
func load(paths []string, all []platform) (map[platform]packages, error) {
	originals := make(map[platform]packages)
	for _, p := range all {
		var patterns []string
		for _, path := range paths {
			patterns = append(patterns, original(path, p.System))
		}
		var err error
		if originals[p], err = p.Check("", patterns...); err != nil {
			return nil, err
		}
	}
	return originals, nil
}

// declared returns the exported names that the hand-written files of dir declare on a system, with
// the given build tags.
func declared(dir, goos string, tags []string) (map[string]bool, error) {
	context := build.Default
	context.GOOS, context.GOARCH, context.BuildTags = goos, "amd64", tags
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || generated(name) {
			continue
		}
		match, err := context.MatchFile(dir, name)
		if err != nil {
			return nil, err
		}
		if !match {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.SkipObjectResolution)
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
