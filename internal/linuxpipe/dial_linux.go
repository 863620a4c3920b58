package linuxpipe

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"afunix/internal/longpath"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// Dial connects to the listener of name, and never waits.
func (System) Dial(_ context.Context, name, local string, t sock.Type) (pipe.Pipe, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, err
	}
	if err := bindAndConnect(fd, name, local, t); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return newPipe(fd)
}

// bindAndConnect leaves a socket file behind if it cannot connect, as bind(2) and connect(2) do.
func bindAndConnect(fd int, name, local string, t sock.Type) error {
	if local != "" {
		sa, err := sockaddr(local, t)
		if err == nil {
			err = unix.Bind(fd, sa)
		}
		if err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	err := reach(longpath.ToDial).by(name, t, func(sa *unix.SockaddrUnix) error { return unix.Connect(fd, sa) })
	if err != nil {
		return err
	}
	if who, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
		allowTracing(int(who.Pid)) // the process that listens; the one that accepted is known by its hello
	}
	return nil
}

// Pair returns the two ends of a pipe of this process.
func (System) Pair() (a, b pipe.Pipe, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		if err == nil {
			err = expectHello(fd)
		}
	}
	if err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, err
	}
	if a, err = newPipe(fds[0]); err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	if b, err = newPipe(fds[1]); err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}
