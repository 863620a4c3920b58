package kernel

import (
	"context"
	"io/fs"
	"net"
	"os"
	"syscall"

	"afunix/internal/permission"

	"golang.org/x/sys/unix"
)

// listenMode creates the socket file with a permission that is never wider than p: see
// [control]. What the umask took away is given back afterwards.
func listenMode(ctx context.Context, network, address string, p permission.Permission) (*net.UnixListener, error) {
	lc := net.ListenConfig{Control: control(p.Initial())}
	l, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if hasFile(address) {
		if err := p.Apply(address); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l.(*net.UnixListener), nil
}

// control gives the socket itself the permission before it is bound: bind makes the socket file
// with the socket's permission, less the umask (unix_bind_bsd in Linux's net/unix/af_unix.c).
func control(mode fs.FileMode) func(network, address string, c syscall.RawConn) error {
	if mode == 0 {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var chmodErr error
		if err := c.Control(func(fd uintptr) { chmodErr = unix.Fchmod(int(fd), uint32(mode.Perm())) }); err != nil {
			return err
		}
		return os.NewSyscallError("fchmod", chmodErr)
	}
}

// supported reports what this system lacks: nothing.
func supported(network, address string) error { return nil }
