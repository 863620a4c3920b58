//go:build unix

package received

import (
	"errors"
	"net"
	"os"

	"afunix/internal/descriptor"
	"afunix/internal/kernel"
	"afunix/internal/transport"
)

// File makes a file of v, by that name.
func File(v uintptr, _ descriptor.Kind, name string) (*os.File, error) {
	return os.NewFile(v, name), nil
}

// NoEnd is the error for a descriptor of kind k that was to be taken as what want says.
func NoEnd(k descriptor.Kind, want string) error { return descriptor.WrongKind(k, want) }

// Conn makes a connection of v, a socket that does not listen.
func Conn(v uintptr, k descriptor.Kind, unix func(transport.Conn) net.Conn) (net.Conn, error) {
	if k != descriptor.Unix {
		return convert(v, net.FileConn)
	}
	c, err := kernel.NewConn(v)
	if err != nil {
		return nil, err
	}
	closeSocket(v)
	return unix(c), nil
}

// Listener makes a listener of v, a socket that listens.
func Listener(v uintptr, k descriptor.Kind, unix func(transport.Listener) net.Listener) (net.Listener, error) {
	if k != descriptor.UnixListener {
		return convert(v, net.FileListener)
	}
	l, err := kernel.NewListener(v)
	if err != nil {
		return nil, err
	}
	closeSocket(v)
	return unix(l), nil
}

// PacketConn makes a connection of v, a socket of datagrams or of AF_UNIX.
func PacketConn(v uintptr, k descriptor.Kind, unix func(transport.Conn) net.PacketConn) (net.PacketConn, error) {
	if k != descriptor.Unix {
		return convert(v, net.FilePacketConn)
	}
	c, err := kernel.NewConn(v)
	if err != nil {
		return nil, err
	}
	if c.LocalAddr().Net != "unixgram" {
		c.Close()
		return nil, descriptor.WrongKind(k, "a datagram socket")
	}
	closeSocket(v)
	return unix(c), nil
}

// convert lets package net make something of a duplicate of v, and closes v. (An os.File of v
// itself would close it in any case.)
func convert[T any](v uintptr, make func(*os.File) (T, error)) (T, error) {
	var none T
	dup, err := descriptor.System.Dup(v, descriptor.Stream)
	if err != nil {
		return none, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(dup, "received")
	defer f.Close()
	c, err := make(f)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return none, err
	}
	closeSocket(v)
	return c, nil
}

// closeSocket closes the descriptor of a socket that has a duplicate, which has nothing to report.
func closeSocket(v uintptr) { _ = descriptor.System.Close(v, descriptor.Unix) }
