package net

import (
	"path/filepath"

	"afunix/internal/winfile"
)

// A boundFile is the socket file of a listener. It is known by what is in it, the random name of
// the pipe.
type boundFile struct {
	path    string // absolute: the process may change its directory
	content []byte
}

// newBoundFile returns the socket file that a listener has just made. If it cannot be told from
// others, it stays.
func newBoundFile(path string) interface{ Remove() } {
	const long = 1 << 10 // more than a socket file has
	f := new(boundFile)
	if abs, err := filepath.Abs(path); err == nil {
		f.path = abs
		f.content, _ = winfile.Read(abs, long) // nothing is nobody's
	}
	return f
}

// Remove removes the file, if it is there still. Others may have the listener still.
func (f *boundFile) Remove() {
	if len(f.content) > 0 {
		_ = winfile.Remove(f.path, f.content, nil) // package net does not look at the error either
	}
}
