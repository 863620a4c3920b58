package received

import (
	"errors"
	"fmt"
	"net"
	"os"

	"afunix/internal/descriptor"
	"afunix/internal/kernel"
	"afunix/internal/transport"
	"afunix/internal/winsock"

	"golang.org/x/sys/windows"
)

// NoEnd is the error for a handle of kind k that was to be taken as what want says. An end of the
// pipe transport is more than the handle of its pipe.
func NoEnd(k descriptor.Kind, want string) error {
	if k == descriptor.Pipe {
		return fmt.Errorf("%w: the handle of a pipe does not say what is in the end's queue: "+
			"hand the end down with AttachTo and Inherited", errors.ErrUnsupported)
	}
	return descriptor.WrongKind(k, want)
}

// File makes a file of v, by that name, of which package os does no I/O through the poller of Go's
// runtime.
func File(v uintptr, k descriptor.Kind, name string) (*os.File, error) {
	if k.Socket() {
		return nil, descriptor.WrongKind(k, "a file")
	}
	descriptor.KeepOffPoller(v)
	return os.NewFile(v, name), nil
}

// Conn makes a connection of v, a socket that does not listen.
func Conn(v uintptr, k descriptor.Kind, unix func(transport.Conn) net.Conn) (net.Conn, error) {
	if k == descriptor.Datagram {
		c, err := winsock.NewPacketConn(windows.Handle(v))
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	c, err := winsock.NewConn(windows.Handle(v))
	switch {
	case err != nil:
		return nil, err
	case k != descriptor.Unix:
		return c, nil
	}
	t, err := kernel.NewConn(c) // fails only as c.SyscallConn does: never
	if err != nil {
		return nil, err
	}
	return unix(t), nil
}

// Listener makes a listener of v, a socket that listens. One of Windows' own AF_UNIX is like
// others.
func Listener(v uintptr, _ descriptor.Kind, _ func(transport.Listener) net.Listener) (net.Listener, error) {
	l, err := winsock.NewListener(windows.Handle(v))
	if err != nil {
		return nil, err
	}
	return l, nil
}

// PacketConn makes a connection of v, a socket of datagrams or of AF_UNIX. Windows' own AF_UNIX has
// no datagrams.
func PacketConn(v uintptr, _ descriptor.Kind, _ func(transport.Conn) net.PacketConn) (net.PacketConn, error) {
	c, err := winsock.NewPacketConn(windows.Handle(v))
	if err != nil {
		return nil, err
	}
	return c, nil
}
