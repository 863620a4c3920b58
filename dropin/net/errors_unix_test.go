//go:build unix

package net_test

import (
	stdnet "net"
	"os"
	"syscall"
	"testing"
)

// stdConn returns an end of a pair of the kernel's.
func stdConn(t *testing.T, network string) *stdnet.UnixConn {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, types[network], 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]stdnet.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "end")
		if conns[i], err = stdnet.FileConn(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		t.Cleanup(func() { conns[i].Close() })
	}
	return conns[0].(*stdnet.UnixConn)
}
