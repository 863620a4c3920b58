package net_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"afunix/dropin/net"
	"afunix/internal/testenv"
)

// By default the socket file goes with the listener that made it, even if a copy goes on listening.
func TestUnlinkOnClose(t *testing.T) {
	path := socketPath(t)
	l := listen(t, "unix", path)
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Lstat: %v", err)
	}
	second := listen(t, "unix", path)
	second.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Lstat: %v", err)
	}
}

// The socket file goes from the directory that it was made in, whether somebody goes on listening
// or not; and that of another listener stays.
func TestUnlinkOfARelativePath(t *testing.T) {
	if !overPipe {
		t.Skip("package net looks in the directory that the process has changed to")
	}
	for _, copied := range []bool{false, true} {
		first, second := testenv.TempDir(t), testenv.TempDir(t)
		t.Chdir(first)
		l := listen(t, "unix", "s")
		t.Chdir(second)
		listen(t, "unix", "s")
		if copied {
			f, err := l.File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(filepath.Join(first, "s")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("copied %t: %v; the socket file is to be removed", copied, err)
		}
		if _, err := os.Lstat(filepath.Join(second, "s")); err != nil {
			t.Errorf("copied %t: another one's socket file: %v", copied, err)
		}
	}
}

// Each copy of a listener decides by itself whether the socket file goes as it is closed: the one
// of FileListener leaves the file, unless it is told otherwise. The others go on listening.
func TestUnlinkByACopy(t *testing.T) {
	unset := func(*net.UnixListener) {}
	set := func(unlink bool) func(*net.UnixListener) {
		return func(l *net.UnixListener) { l.SetUnlinkOnClose(unlink) }
	}
	for _, test := range []struct {
		name           string
		original, copy func(*net.UnixListener)
		copyFirst      bool // it is closed before the original
		replaced       bool // by another listener's, before any of them is closed
		between, after bool // whether there is a file when the first is closed, and when both are
	}{
		{"copy first", unset, unset, true, false, true, false},
		{"original first", unset, unset, false, false, false, false},
		{"copy to unlink", unset, set(true), true, false, false, false},
		{"copy to unlink, original not", set(false), set(true), true, false, false, false},
		{"copy to unlink, last", set(false), set(true), false, false, true, false},
		{"neither", set(false), unset, false, false, true, true},
		{"copy told not to", set(false), set(false), true, false, true, true},
		{"replaced, copy first", unset, set(true), true, true, true, true},
		{"replaced, original first", unset, set(true), false, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.replaced && !overPipe {
				t.Skip("package net does not look whose file it removes")
			}
			path := socketPath(t)
			first := listen(t, "unix", path)
			second := copyOf(t, first)
			test.original(first)
			test.copy(second)
			if test.copyFirst {
				first, second = second, first
			}
			if test.replaced {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				listen(t, "unix", path)
			}
			closeAndExpectFile(t, first, path, test.between)
			if test.between && !test.replaced {
				checkAccepts(t, second, path)
			}
			closeAndExpectFile(t, second, path, test.after)
		})
	}
}
