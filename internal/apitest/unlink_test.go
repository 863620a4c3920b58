package apitest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// expectFile fails unless path is there, or is not. A listener that was handed on, and has been closed at once, removes its file a little
// later on Windows: what it has come by is looked at first.
func expectFile(t *testing.T, path string, there bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, err := os.Lstat(path)
		switch {
		case (err == nil) == there:
			return
		case there || time.Now().After(end):
			t.Fatalf("the socket file: %v; there should be one: %v", err, there)
		}
	}
}

// handedOn returns l as another process would receive it. What is left of l here leaves the file alone.
func handedOn(t *testing.T, tr afunix.Transport, l *afunix.Listener) *afunix.Listener {
	t.Helper()
	l.SetUnlinkOnClose(false)
	a, b := pair(t, tr, "unix")
	mustWriteMsg(t, a, "x", l)
	l.Close()
	got, err := mustReadMsg(t, b, "x", 1).Rights.Listener(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { got.Close() })
	return got.(*afunix.Listener)
}

// A socket file goes with the listener that it belongs to, and with no other one.
func TestCloseRemovesTheSocketFileOfTheListener(t *testing.T) {
	for _, test := range []struct {
		name                       string
		received, unlink, replaced bool
		stays                      bool
	}{
		{name: "made here", unlink: true},
		{name: "made here and replaced", unlink: true, replaced: true, stays: true},
		{name: "received", received: true, stays: true},
		{name: "received, to be removed", received: true, unlink: true},
		{name: "received, to be removed, replaced", received: true, unlink: true, replaced: true, stays: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
				path := socketPath(t)
				l := listen(t, tr, network, path)
				if test.received {
					testenv.NeedSocketFile(t)
					l = handedOn(t, tr, l)
				}
				if test.unlink {
					l.SetUnlinkOnClose(true)
				}
				if test.replaced {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
					listen(t, tr, network, path)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				expectFile(t, path, test.stays)
			})
		})
	}
}

// A listener with a relative path removes its socket file, in whatever directory the process is by
// then, and no other's of that name.
func TestCloseRemovesTheFileOfARelativePath(t *testing.T) {
	for _, how := range []string{"closed", "handed on", "sent"} {
		t.Run(how, func(t *testing.T) {
			eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
				first, second := testenv.TempDir(t), testenv.TempDir(t)
				t.Chdir(first)
				l := listen(t, tr, network, "s")
				t.Chdir(second)
				other := listen(t, tr, network, "s")
				switch how {
				case "handed on":
					l = handedOn(t, tr, l)
					l.SetUnlinkOnClose(true)
				case "sent":
					if tr == afunix.KernelTransport {
						t.Skip("what is sent stays here, too")
					}
					a, b := pair(t, tr, "unix")
					mustWriteMsg(t, a, "x", l)
					mustReadMsg(t, b, "x", 1).Rights.Close()
				}
				if err := l.Close(); err != nil && how != "sent" {
					t.Error(err)
				}
				if _, err := os.Lstat(filepath.Join(second, "s")); err != nil {
					t.Errorf("another listener's socket file: %v", err)
				}
				if tr == afunix.KernelTransport && how == "handed on" {
					return // the kernel knows the relative path that was bound, and nobody else does
				}
				expectFile(t, filepath.Join(first, "s"), false)
				if err := other.Close(); err != nil {
					t.Error(err)
				}
				if _, err := os.Lstat(filepath.Join(second, "s")); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("its own socket file: %v", err)
				}
			})
		})
	}
}
