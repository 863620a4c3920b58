//go:build unix

package sockfile

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A held socket says that it is in use, and then waits until it may be.
type heldSocket struct {
	syscall.RawConn
	reached, let chan struct{}
}

func (h *heldSocket) Control(f func(fd uintptr)) error {
	h.reached <- struct{}{}
	<-h.let
	return h.RawConn.Control(f)
}

// A second Close returns when the file has gone, and does not remove the file that has been made
// since.
func TestOnlyTheFirstCloseRemovesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	socket := &heldSocket{listen(t, path), make(chan struct{}, 9), make(chan struct{})}
	f := Made(path)
	closed := make(chan error, 2)
	for range cap(closed) {
		go func() {
			f.Close(socket)
			_, err := os.Lstat(path)
			closed <- err
		}()
	}
	<-socket.reached
	select {
	case err := <-closed:
		t.Fatal("a Close has returned before the file was removed:", err)
	default:
	}
	close(socket.let)
	for range cap(closed) {
		select {
		case err := <-closed:
			if !os.IsNotExist(err) {
				t.Errorf("after Close: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Close is stuck")
		}
	}
	listen(t, path)
	f.Close(socket)
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the next socket's file: %v", err)
	}
	if n := len(socket.reached); n != 0 {
		t.Errorf("%d other calls of Close have looked for the file", n)
	}
}

// listen makes a socket that listens at path, as package net does, and gives access to it.
func listen(t *testing.T, path string) syscall.RawConn {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
