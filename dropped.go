package afunix

import (
	"runtime"
	"syscall"

	"afunix/internal/transport"
)

// This file is about a Conn or Listener that is dropped without Close. One of the kernel transport
// is closed by package net. Of the pipe transport there are goroutines, which refer to what c.t is,
// and to nothing that refers to the Conn: so that is what the collector looks at.

// closeWhenDropped closes c as Close does, once nobody refers to c any more. (Close may wait, and
// the collector has one goroutine for all.)
func (c *Conn) closeWhenDropped() {
	if c.Transport() == PipeTransport {
		c.dropped = runtime.AddCleanup(c, func(t transport.Conn) { go t.Close() }, c.t)
	}
}

// closeWhenDropped closes l once nobody refers to l any more. As in package net, the socket file
// stays: whoever has been handed the socket by another way may be listening still.
func (l *Listener) closeWhenDropped() {
	if l.Transport() == PipeTransport {
		l.dropped = runtime.AddCleanup(l, func(t transport.Listener) {
			t.SetUnlinkOnClose(false)
			go t.Close()
		}, l.t)
	}
}

// A rawConn keeps the end from being dropped that it gives access to.
type rawConn struct {
	raw syscall.RawConn
	end any
}

func (r rawConn) Control(f func(fd uintptr)) error {
	defer runtime.KeepAlive(r.end)
	return r.raw.Control(f)
}

func (r rawConn) Read(f func(fd uintptr) bool) error {
	defer runtime.KeepAlive(r.end)
	return r.raw.Read(f)
}

func (r rawConn) Write(f func(fd uintptr) bool) error {
	defer runtime.KeepAlive(r.end)
	return r.raw.Write(f)
}

// rawOf returns raw, which gives access to end, if err is nil. That of the kernel transport keeps
// package net's socket.
func rawOf(end any, of Transport, raw syscall.RawConn, err error) (syscall.RawConn, error) {
	if err != nil || of == KernelTransport {
		return raw, err
	}
	return rawConn{raw, end}, nil
}
