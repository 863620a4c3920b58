package testenv

import "testing"

type system struct{ fs *FUSE }

// NewSlowDir makes one, or skips the test.
func NewSlowDir(t testing.TB) *SlowDir {
	t.Helper()
	fs := MountFUSE(t)
	return &SlowDir{fs.Dir, system{fs}}
}

func (s system) hold(_ string, wait func()) {
	s.fs.mu.Lock()
	defer s.fs.mu.Unlock()
	s.fs.unlinking = wait
}
