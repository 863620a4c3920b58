package upgrade

import (
	"errors"
	"net"
	"syscall"
	"time"

	"afunix"
)

// SyscallConn gives access to the socket itself, as that of *[net.TCPListener] does. It fails with
// [errors.ErrUnsupported] if there is no access to the socket, as over the pipe transport, where
// the descriptor is not a socket.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	raw, err := rawConn(l.gate.get())
	if err != nil {
		return nil, &net.OpError{Op: "raw", Net: l.key.Network, Addr: l.addr, Err: err}
	}
	return raw, nil
}

// SyscallConn gives access to the socket itself, as that of *[net.UDPConn] does, for
// golang.org/x/net/ipv4, for example. The Read of the returned RawConn waits as ReadFrom does until
// this process may take something from the socket. On Windows there is neither Read nor Write for a
// socket that a predecessor had ([errors.ErrUnsupported]). To a socket of the pipe transport there
// is no access.
func (c *PacketConn) SyscallConn() (syscall.RawConn, error) {
	if _, err := rawConn(c.gate.get()); err != nil {
		return nil, c.failed("raw", err)
	}
	return rawPacketConn{c}, nil
}

// rawConn returns access to a socket whose descriptor is that of a socket.
func rawConn[S any](inner S, err error) (syscall.RawConn, error) {
	if err != nil {
		return nil, err
	}
	file, moves, err := sendable(inner)
	if err != nil || moves {
		return nil, errors.ErrUnsupported
	}
	return file.SyscallConn()
}

// A rawPacketConn is access to the socket that a PacketConn has.
type rawPacketConn struct{ c *PacketConn }

// Control is that of the socket.
func (r rawPacketConn) Control(f func(fd uintptr)) error {
	raw, err := rawConn(r.c.gate.get())
	if err != nil {
		return r.c.failed("raw-control", err)
	}
	return raw.Control(f)
}

// Read is that of the socket, while this process may take something from it.
func (r rawPacketConn) Read(f func(fd uintptr) bool) error {
	for {
		inner, err := r.c.gate.pass()
		if err != nil {
			return r.c.failed("raw-read", err)
		}
		raw, err := rawConn(inner, nil)
		if err == nil {
			err = raw.Read(f)
		}
		if err == nil || r.c.gate.admits(inner) {
			return err
		}
	}
}

// Write is that of the socket.
func (r rawPacketConn) Write(f func(fd uintptr) bool) error {
	raw, err := rawConn(r.c.gate.get())
	if err != nil {
		return r.c.failed("raw-write", err)
	}
	return raw.Write(f)
}

func (c *PacketConn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: c.key.Network, Source: c.addr, Err: err}
}

// A deadliner is a listener whose Accept can be made to give up: all of package net, and of package
// afunix.
type deadliner interface{ SetDeadline(time.Time) error }

// SetDeadline sets when Accept gives up, with [os.ErrDeadlineExceeded]; a zero time is never. If a
// listener of Config.Listen has no deadlines, SetDeadline fails with [errors.ErrUnsupported].
func (l *Listener) SetDeadline(t time.Time) (err error) {
	l.gate.update(func() {
		if l.gate.closed {
			err = net.ErrClosed
			return
		}
		inner, ok := l.gate.socket.(deadliner)
		switch {
		case !ok && l.gate.socket != nil:
			err = errors.ErrUnsupported
			return
		case ok:
			err = inner.SetDeadline(t)
		}
		l.gate.deadline = t
	})
	if err != nil {
		return &net.OpError{Op: "set", Net: l.key.Network, Addr: l.addr, Err: err}
	}
	return nil
}

// SetReadBuffer sets the size of the system's buffer for what is received. It is a property of the
// socket, which goes from process to process.
func (c *PacketConn) SetReadBuffer(bytes int) error {
	return c.set(func(b buffered) error { return b.SetReadBuffer(bytes) })
}

// SetWriteBuffer sets the size of the system's buffer for what is sent.
func (c *PacketConn) SetWriteBuffer(bytes int) error {
	return c.set(func(b buffered) error { return b.SetWriteBuffer(bytes) })
}

// A buffered is a socket whose buffers have a size that can be set.
type buffered interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

func (c *PacketConn) set(f func(buffered) error) error {
	inner, err := as[buffered](c.gate.get())
	if err != nil {
		return c.failed("set", err)
	}
	return f(inner)
}

// as returns the socket as one that can do what T can.
func as[T any](inner net.PacketConn, err error) (T, error) {
	able, ok := inner.(T)
	if err == nil && !ok {
		err = errors.ErrUnsupported
	}
	return able, err
}

// ReadMsg is that of *[afunix.Conn], for a socket of the network "unixgram": a datagram together
// with the descriptors that come with it. It waits as ReadFrom does.
func (c *PacketConn) ReadMsg(buf []byte) (afunix.Message, error) {
	for {
		inner, err := c.gate.pass()
		if err != nil {
			return afunix.Message{}, c.failed("read", err)
		}
		end, err := as[*afunix.Conn](inner, nil)
		if err != nil {
			return afunix.Message{}, c.failed("read", err)
		}
		m, err := end.ReadMsg(buf)
		if err == nil || c.gate.admits(inner) {
			return m, err
		}
	}
}

// WriteMsgTo is that of *[afunix.Conn], for a socket of the network "unixgram": a datagram together
// with descriptors.
func (c *PacketConn) WriteMsgTo(data []byte, to *net.UnixAddr, files ...afunix.Sendable) (int, error) {
	end, err := as[*afunix.Conn](c.gate.get())
	if err != nil {
		return 0, c.failed("write", err)
	}
	return end.WriteMsgTo(data, to, files...)
}
