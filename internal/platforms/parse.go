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

// dropBodies leaves what f declares. That there was a body stays.
func dropBodies(f *ast.File) {
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil {
			d.Body = &ast.BlockStmt{Lbrace: d.Body.Lbrace, Rbrace: d.Body.Rbrace}
		}
	}
}
