package platforms

import (
	"go/ast"
	"go/parser"
	"go/token"
	"sync"
)

// sources has the files of every Check: most of them are built on several platforms, and parsing
// takes longer than checking what they declare.
var sources = source{fset: token.NewFileSet(), files: make(map[string]func() (*ast.File, error))}

type source struct {
	fset  *token.FileSet
	mu    sync.Mutex
	files map[string]func() (*ast.File, error)
}

// parse parses a file the first time that it is asked for. Bodies of functions are there only if
// they are wanted then.
func (s *source) parse(path string, bodies bool) (*ast.File, error) {
	s.mu.Lock()
	file, ok := s.files[path]
	if !ok {
		file = sync.OnceValues(func() (*ast.File, error) {
			f, err := parser.ParseFile(s.fset, path, nil, parser.SkipObjectResolution)
			if f != nil && !bodies {
				dropBodies(f)
			}
			return f, err
		})
		s.files[path] = file
	}
	s.mu.Unlock()
	return file()
}

// dropBodies leaves what f declares. That there was a body stays. Of a table, its type says what
// there is to say.
func dropBodies(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				d.Body = &ast.BlockStmt{Lbrace: d.Body.Lbrace, Rbrace: d.Body.Rbrace}
			}
		case *ast.GenDecl:
			ast.Inspect(d, dropElements)
		}
	}
}

// dropElements empties composite literals, but for arrays that are as long as they have elements.
func dropElements(n ast.Node) bool {
	literal, ok := n.(*ast.CompositeLit)
	if !ok {
		return true
	}
	array, ok := literal.Type.(*ast.ArrayType)
	if ok {
		_, ok = array.Len.(*ast.Ellipsis)
	}
	if !ok {
		literal.Elts = nil
	}
	return ok
}
