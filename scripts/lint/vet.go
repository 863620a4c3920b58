//lint:file-ignore SA1019 some checks of go vet go by ast.Object

package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// asByVet gives an analyzer what go vet gives it, and the runner of staticcheck does not: what
// identifiers stand for (ast.Ident.Obj), and the names of files that are not built here, whose build
// constraints are looked at, too. (As with go vet, a change to such a file alone is seen when the
// package changes, or where nothing is cached.) A finding goes by the analyzer's name, since the
// runner drops what goes by a name that it does not know.
func asByVet(a *analysis.Analyzer) *analysis.Analyzer {
	run := a.Run
	if len(a.FactTypes) == 0 { // dependencies are looked at for facts alone
		a.Requires = append(a.Requires, objects)
	}
	a.Run = func(pass *analysis.Pass) (any, error) {
		pass.IgnoredFiles = ignored(pass)
		report := pass.Report
		pass.Report = func(d analysis.Diagnostic) {
			d.Category = a.Name
			report(d)
		}
		return run(pass)
	}
	return a
}

// ignored returns the Go and assembly files in the folder of a package that are not built.
func ignored(pass *analysis.Pass) (files []string) {
	built := slices.Clone(pass.OtherFiles)
	for _, f := range pass.Files {
		built = append(built, pass.Fset.File(f.FileStart).Name())
	}
	if len(built) == 0 {
		return nil
	}
	for _, pattern := range []string{"*.go", "*.s"} {
		found, _ := filepath.Glob(filepath.Join(filepath.Dir(built[0]), pattern)) // no pattern is malformed
		for _, f := range found {
			if !slices.Contains(built, f) {
				files = append(files, f)
			}
		}
	}
	return files
}

// objects resolves identifiers as the parser does where it is not told to skip that, by what the
// type checker knows. Analyzers of staticcheck never ask for it.
var objects = &analysis.Analyzer{Name: "objects", Doc: "set ast.Ident.Obj", Run: resolve}

func resolve(pass *analysis.Pass) (any, error) {
	resolved := make(map[types.Object]*ast.Object)
	for id, o := range pass.TypesInfo.Defs {
		if o != nil {
			id.Obj = &ast.Object{Name: id.Name}
			resolved[o] = id.Obj
		}
	}
	for id, o := range pass.TypesInfo.Uses {
		id.Obj = resolved[o] // nil for what other packages declare
	}
	for _, f := range pass.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			for _, id := range declared(n) {
				if id.Obj != nil && id.Obj.Decl == nil {
					id.Obj.Decl = n
				}
			}
			return true
		})
	}
	return nil, nil
}

// declared returns the variables and functions that a node may declare.
func declared(n ast.Node) (ids []*ast.Ident) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, e := range n.Lhs {
			if id, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
				ids = append(ids, id)
			}
		}
	case *ast.ValueSpec:
		ids = n.Names
	case *ast.Field:
		ids = n.Names
	case *ast.FuncDecl:
		ids = []*ast.Ident{n.Name}
	}
	return ids
}
