package net

import (
	"bytes"
	"os"
	"path/filepath"
)

// A boundFile is the socket file of a listener. It is known by what is in it, the random name of
// the pipe.
type boundFile struct {
	path    string // absolute: the process may change its directory
	content []byte
}

// newBoundFile returns the socket file that a listener has just made; nil if it cannot be told from
// others.
func newBoundFile(path string) *boundFile {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	f := &boundFile{path: abs}
	f.content = f.read()
	return f
}

// read returns what is in the file now; nil if that is no socket file.
func (f *boundFile) read() []byte {
	const long = 1 << 10 // more than a socket file has
	if info, err := os.Lstat(f.path); err != nil || !info.Mode().IsRegular() || info.Size() > long {
		return nil
	}
	content, _ := os.ReadFile(f.path)
	return content
}

// Remove removes the file, if it is there still. Others may have the listener still.
func (f *boundFile) Remove() {
	if f != nil && len(f.content) > 0 && bytes.Equal(f.read(), f.content) {
		_ = os.Remove(f.path) // package net does not look at the error either
	}
}
