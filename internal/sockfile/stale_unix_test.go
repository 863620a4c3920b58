//go:build unix

package sockfile

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bindAt binds a socket that does not listen to path.
func bindAt(path string) (int, error) {
	fd, err := newDatagramSocket()
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// leave leaves a socket file that nobody has the socket of.
func leave(t *testing.T, path string) {
	t.Helper()
	fd, err := bindAt(path)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if _, stale := StaleID(path); !stale {
		t.Fatal("the socket is closed, and its file is not stale")
	}
}

// Many that find the same stale file, at any moment, make one socket of it. Without the lock some
// round makes two, of which clients find one.
func TestOneReplacesAStaleFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 200 {
		leave(t, path)
		var mu sync.Mutex
		var bound []int
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 20 {
			all.Go(func() {
				<-start
				fd, err := OverStale(t.Context(), path, func() (int, error) { return bindAt(path) })
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					bound = append(bound, fd)
				} else if !errors.Is(err, syscall.EADDRINUSE) {
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		if len(bound) != 1 || !Bound(path) {
			t.Errorf("%d sockets are bound to the path, and one can be found: %v", len(bound), Bound(path))
		}
		for _, fd := range bound {
			unix.Close(fd)
		}
		os.Remove(path)
		if t.Failed() {
			return
		}
	}
}

// A process that is suspended while it has the turn is waited for, but not for ever; a listener
// that lives is no reason to wait.
func TestOverStaleWaitsForItsTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	leave(t, path)
	unlock, err := lock(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	bind := func() (int, error) { return bindAt(path) }
	if _, err := OverStale(ctx, path, bind); !errors.Is(err, syscall.EADDRINUSE) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("somebody has the turn: %v", err)
	}
	unlock()
	fd, err := OverStale(t.Context(), path, bind)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if unlock, err = lock(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := OverStale(t.Context(), path, bind); !errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("somebody lives there: %v", err)
	}
}

// The question whether a file is stale takes no client's place, and leaves nobody in the backlog.
func TestNobodyNoticesTheQuestion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	raw := listen(t, path)
	for range 5000 { // more than any backlog holds
		if !Bound(path) {
			t.Fatal("a listener counts as stale")
		}
	}
	var err error
	if ctl := raw.Control(func(fd uintptr) {
		unix.SetNonblock(int(fd), true)
		_, _, err = unix.Accept(int(fd))
	}); ctl != nil || err != unix.EAGAIN {
		t.Errorf("accept: %v, %v; want EAGAIN", ctl, err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
