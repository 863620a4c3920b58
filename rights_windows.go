package afunix

import (
	"net"
	"os"

	"afunix/internal/descriptor"
	"afunix/internal/kernel"
	"afunix/internal/winsock"

	"golang.org/x/sys/windows"
)

// The functions below own v if, and only if, they succeed.

// newFile makes a file of which package os does no I/O through the poller of Go's runtime.
func newFile(v uintptr, k descriptor.Kind) (*os.File, error) {
	if k.Socket() {
		return nil, wrongKind(k, "a file")
	}
	descriptor.KeepOffPoller(v)
	return os.NewFile(v, "received"), nil
}

func newNetConn(v uintptr, k descriptor.Kind) (net.Conn, error) {
	if k == descriptor.Datagram {
		return asConn(winsock.NewPacketConn(windows.Handle(v)))
	}
	c, err := winsock.NewConn(windows.Handle(v))
	if err != nil {
		return nil, err
	}
	if k != descriptor.Unix {
		return c, nil
	}
	return newNativeConn(c)
}

// newNativeConn makes a Conn of a received socket of Windows' own AF_UNIX. It fails only as c.SyscallConn does: never.
func newNativeConn(c *winsock.Conn) (*Conn, error) {
	t, err := kernel.NewConn(c)
	if err != nil {
		return nil, err
	}
	return newConn(t, streamNetwork), nil
}

func newNetListener(v uintptr, _ descriptor.Kind) (net.Listener, error) {
	l, err := winsock.NewListener(windows.Handle(v))
	if err != nil {
		return nil, err
	}
	return l, nil
}

func newPacketConn(v uintptr, _ descriptor.Kind) (net.PacketConn, error) {
	c, err := winsock.NewPacketConn(windows.Handle(v))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// asConn makes a nil interface of a nil connection.
func asConn[T net.Conn](c T, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}
