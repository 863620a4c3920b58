package apitest

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// expectFile fails unless path is there, or is not.
func expectFile(t *testing.T, path string, there bool) {
	t.Helper()
	if _, err := os.Lstat(path); (err == nil) != there {
		t.Fatalf("the socket file: %v; there should be one: %v", err, there)
	}
}

// handedOn returns l as another process would receive it. What is left of l here leaves the file
// alone.
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

// A goroutine that learns by any call that a listener is closed finds no socket file any more. As
// in package net the file goes first, and a second Close waits for that.
func TestTheSocketFileIsGoneWhenAcceptReturns(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		dir := testenv.NewSlowDir(t)
		path := filepath.Join(dir.Dir, "s")
		l := listen(t, tr, network, path)
		early := make(chan struct{})
		returned := sync.OnceFunc(func() { close(early) })
		calls := make(chan error, 22)
		call := func(f func() error) {
			err := f()
			if _, there := os.Lstat(path); !errors.Is(there, fs.ErrNotExist) {
				t.Errorf("%v, and the file: %v", err, there)
			}
			returned()
			calls <- err
		}
		for range 20 {
			go call(func() error { _, err := l.Accept(); return err })
		}
		dir.Hold(path, early)
		go call(l.Close)
		go call(l.Close)
		closed := 0
		for range cap(calls) {
			if errors.Is(within(t, "a call", func() error { return <-calls }), net.ErrClosed) {
				closed++
			}
		}
		if want := cap(calls) - 1; closed != want {
			t.Errorf("%d calls say that the listener is closed, want %d: all but one Close", closed, want)
		}
	})
}
