package net_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/dropin/unix"
)

// control calls f with the descriptor of a connection.
func control(t *testing.T, c syscall.Conn, f func(fd int)) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { f(int(fd)) }); err != nil {
		t.Fatal(err)
	}
}

// A raw connection waits for what its descriptor says EAGAIN about.
func TestRawConn(t *testing.T) {
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		rawA, err := a.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		rawB, err := b.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		err = rawB.Read(func(fd uintptr) bool {
			_, _, _, _, err := unix.Recvmsg(int(fd), buf, nil, 0)
			if err != unix.EAGAIN {
				t.Errorf("Recvmsg with nothing to read: %v", err)
			}
			return true
		})
		if err != nil {
			t.Error(err)
		}
		got := make(chan error, 1)
		go func() {
			n := 0
			err := rawB.Read(func(fd uintptr) bool {
				var failed error
				n, _, _, _, failed = unix.Recvmsg(int(fd), buf, nil, 0)
				return failed != unix.EAGAIN
			})
			if err == nil && string(buf[:n]) != "hello" {
				err = errors.New("it read " + string(buf[:n]))
			}
			got <- err
		}()
		err = rawA.Write(func(fd uintptr) bool { return unix.Sendmsg(int(fd), []byte("hello"), nil, nil, 0) != unix.EAGAIN })
		if err != nil {
			t.Error(err)
		}
		expectSoon(t, func() error { return <-got })

		if err := b.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := rawB.Read(func(uintptr) bool { return false }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		b.Close()
		if err := rawB.Control(func(uintptr) { t.Error("it was called") }); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}
