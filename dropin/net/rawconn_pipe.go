//go:build windows || (linux && afunix_pipe)

package net

import (
	"net"
	"time"

	"afunix/dropin/internal/ends"
)

// rawConn is what SyscallConn returns.
type rawConn struct {
	ref  *ends.Ref
	fd   *lazyFD
	addr Addr
}

func (c rawConn) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: c.ref.Network(), Addr: c.addr, Err: plain(err)}
}

// Control calls f with the descriptor.
func (c rawConn) Control(f func(fd uintptr)) error {
	fd, err := c.fd.get(c.ref)
	if err == nil {
		f(uintptr(fd))
	}
	return c.opError("raw-control", err)
}

// Read calls f, and again when there is something to read, until it returns true.
func (c rawConn) Read(f func(fd uintptr) bool) error {
	return c.opError("raw-read", c.until(f, c.ref.AwaitReadable))
}

// Write calls f, and again a little later, until it returns true: when there is room cannot be told without writing.
func (c rawConn) Write(f func(fd uintptr) bool) error {
	return c.opError("raw-write", c.until(f, func() error {
		time.Sleep(pause)
		return c.ref.Writable()
	}))
}

const pause = 2 * time.Millisecond

func (c rawConn) until(f func(fd uintptr) bool, wait func() error) error {
	fd, err := c.fd.get(c.ref)
	if err != nil {
		return err
	}
	for !f(uintptr(fd)) {
		if err := wait(); err != nil {
			return err
		}
	}
	return nil
}
