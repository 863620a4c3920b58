//go:build unix && !linux

package kernel

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"

	"afunix/internal/permission"

	"golang.org/x/sys/unix"
)

// listenMode sets the permission of the socket file between bind and listen, when nobody can
// connect yet. Package net leaves no room there, so the socket is made by hand.
func listenMode(ctx context.Context, network, address string, p permission.Permission) (*net.UnixListener, error) {
	if p.None() || !hasFile(address) {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return l.(*net.UnixListener), nil
	}
	fd, err := newSocket(network)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	l, err := listenBound(fd, address, p)
	if err != nil {
		return nil, errors.Join(err, os.Remove(address))
	}
	l.SetUnlinkOnClose(true)
	return l, nil
}

func newSocket(network string) (int, error) {
	typ := unix.SOCK_STREAM
	if network == packet {
		typ = unix.SOCK_SEQPACKET
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, typ, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}

// listenBound returns a listener of a duplicate of fd.
func listenBound(fd int, address string, p permission.Permission) (*net.UnixListener, error) {
	if err := p.Apply(address); err != nil {
		return nil, err
	}
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	l, err := NewListener(uintptr(fd))
	if err != nil {
		return nil, err
	}
	return l.l, nil
}

// control does nothing: not every one of these systems takes a permission from the socket itself.
func control(fs.FileMode) func(network, address string, c syscall.RawConn) error { return nil }

// supported reports what these systems lack: the abstract name space.
func supported(_, address string) error {
	if isAbstract(address) {
		return errors.ErrUnsupported
	}
	return nil
}
