package testenv

import (
	"testing"

	"golang.org/x/sys/windows"
)

type system struct{ t testing.TB }

// NewSlowDir makes one.
func NewSlowDir(t testing.TB) *SlowDir {
	t.Helper()
	return &SlowDir{TempDir(t), system{t}}
}

// hold opens the file so that nobody can do anything with it.
func (s system) hold(path string, wait func()) {
	s.t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		s.t.Fatal(err)
	}
	const shareNothing = 0
	h, err := windows.CreateFile(name, windows.GENERIC_READ, shareNothing, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	released := make(chan struct{})
	go func() {
		defer close(released)
		wait()
		windows.CloseHandle(h)
	}()
	s.t.Cleanup(func() { <-released })
}
