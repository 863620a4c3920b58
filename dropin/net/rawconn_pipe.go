//go:build windows || (linux && afunix_pipe)

package net

import (
	"net"
	"runtime"
	"syscall"
	"time"
)

// rawConn is what SyscallConn returns.
type rawConn struct {
	*owned
	by            any // whom it keeps from being dropped
	remote, local Addr
}

// Control calls f with the descriptor.
func (c rawConn) Control(f func(fd uintptr)) error {
	defer runtime.KeepAlive(c.by)
	fd, err := c.fd()
	if err != nil {
		return &net.OpError{Op: "raw-control", Net: c.ref.Network(), Addr: c.local, Err: plain(err)}
	}
	f(uintptr(fd))
	return nil
}

// Read calls f, and again when there is something to read, until it returns true.
func (c rawConn) Read(f func(fd uintptr) bool) error {
	return c.until("raw-read", f, c.ref.Readable, c.ref.AwaitReadable)
}

// Write calls f, and again a little later, until it returns true: when there is room cannot be told
// without writing.
func (c rawConn) Write(f func(fd uintptr) bool) error {
	return c.until("raw-write", f, c.ref.Writable, func() error {
		time.Sleep(pause)
		return c.ref.Writable()
	})
}

const pause = 2 * time.Millisecond

// until calls f until it returns true: as long as may returns nil at first, and wait does after
// each call.
func (c rawConn) until(op string, f func(fd uintptr) bool, may, wait func() error) error {
	defer runtime.KeepAlive(c.by)
	fd, err := c.fd()
	if err == nil {
		err = may()
	}
	for err == nil && !f(uintptr(fd)) {
		err = wait()
	}
	if err != nil {
		return &net.OpError{Op: op, Net: c.ref.Network(), Source: c.local, Addr: c.remote, Err: plain(err)}
	}
	return nil
}

// rawListener is what SyscallConn of a listener returns.
type rawListener struct{ rawConn }

// Read is not for listeners.
func (rawListener) Read(func(uintptr) bool) error { return syscall.EINVAL }

// Write is not for listeners.
func (rawListener) Write(func(uintptr) bool) error { return syscall.EINVAL }
