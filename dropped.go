package afunix

import (
	"runtime"
	"syscall"

	"afunix/internal/transport"
)

// This file is about a Conn or Listener that is dropped without Close. Package net closes one of
// the kernel transport. One of the pipe transport has goroutines. They refer to its field t, and to
// nothing that refers to the Conn or Listener itself. So the collector finds out when the Conn or
// Listener is dropped.

// closeWhenDropped closes c as Close does, once nobody refers to c any more. (Close may wait, and
// the collector has one goroutine for all.)
func (c *Conn) closeWhenDropped() {
	if c.Transport() != KernelTransport {
		c.dropped = runtime.AddCleanup(c, func(t transport.Conn) { go t.Close() }, c.t)
	}
}

// closeWhenDropped closes l once nobody refers to l any more. As in package net, the socket file
// stays: another process may have been handed the socket by another way, and may still listen.
func (l *Listener) closeWhenDropped() {
	if l.Transport() == PipeTransport {
		l.dropped = runtime.AddCleanup(l, func(t transport.Listener) {
			t.SetUnlinkOnClose(false)
			go t.Close()
		}, l.t)
	}
}

// A rawConn gives access to an end, and keeps that end from being dropped.
type rawConn struct {
	raw syscall.RawConn
	end any
}

// Control calls f with the descriptor of the end.
func (r rawConn) Control(f func(fd uintptr)) error {
	defer runtime.KeepAlive(r.end)
	return r.raw.Control(f)
}

// Read calls f again and again, with a wait in between, until f returns true.
func (r rawConn) Read(f func(fd uintptr) bool) error {
	defer runtime.KeepAlive(r.end)
	return r.raw.Read(f)
}

// Write calls f as Read does.
func (r rawConn) Write(f func(fd uintptr) bool) error {
	defer runtime.KeepAlive(r.end)
	return r.raw.Write(f)
}

// rawOf returns raw, which gives access to end, if err is nil. The raw of a kernel transport's end
// keeps package net's socket, and needs no rawConn.
func rawOf(end any, of Transport, raw syscall.RawConn, err error) (syscall.RawConn, error) {
	if err != nil || of == KernelTransport {
		return raw, err
	}
	return rawConn{raw, end}, nil
}
