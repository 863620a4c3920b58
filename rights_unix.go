//go:build unix

package afunix

import (
	"errors"
	"net"
	"os"

	"afunix/internal/descriptor"
	"afunix/internal/kernel"
)

// The functions below own v if, and only if, they succeed.

func newFile(v uintptr, _ descriptor.Kind) (*os.File, error) { return os.NewFile(v, "received"), nil }

func newNetConn(v uintptr, k descriptor.Kind) (net.Conn, error) {
	if k != descriptor.Unix {
		return convert(v, net.FileConn)
	}
	c, err := kernel.NewConn(v)
	if err != nil {
		return nil, err
	}
	closeSocket(v)
	return newConn(c, c.LocalAddr().Net), nil
}

func newNetListener(v uintptr, k descriptor.Kind) (net.Listener, error) {
	if k != descriptor.UnixListener {
		return convert(v, net.FileListener)
	}
	l, err := kernel.NewListener(v)
	if err != nil {
		return nil, err
	}
	closeSocket(v)
	return newListener(l, l.Addr().Net), nil
}

func newPacketConn(v uintptr, k descriptor.Kind) (net.PacketConn, error) {
	if k != descriptor.Unix {
		return convert(v, net.FilePacketConn)
	}
	c, err := kernel.NewConn(v)
	if err != nil {
		return nil, err
	}
	if c.LocalAddr().Net != dgramNetwork {
		c.Close()
		return nil, wrongKind(k, "a datagram socket")
	}
	closeSocket(v)
	return newConn(c, dgramNetwork), nil
}

// convert lets package net make something of a duplicate of v, and closes v. (An os.File of v itself would close it in any case.)
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
