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

// newFile keeps an overlapped handle off the poller of Go's runtime. A file object is bound to one completion port for good, and the
// sender's process shares it: what that does with it would be posted to our port, with pointers into memory of another
// process. So it is bound to a port that nobody reads, and which goes with the file; package os then waits with an event for
// each operation. Binding fails for handles that are not overlapped, and for those that are bound already: both are what is wanted.
func newFile(v uintptr, k descriptor.Kind) (*os.File, error) {
	if k.Socket() {
		return nil, wrongKind(k, "a file")
	}
	if port, err := windows.CreateIoCompletionPort(windows.Handle(v), 0, 0, 1); err == nil {
		windows.CloseHandle(port)
	}
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
