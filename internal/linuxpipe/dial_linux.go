package linuxpipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// Dial opens the pipe of the listener at path, whose sockets are of socketType, and never waits. If local is not "", the
// socket is bound to it first.
func Dial(path, local string, socketType uint8) (*Pipe, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, err
	}
	if err := bindAndConnect(fd, path, local, socketType); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return newPipe(fd)
}

// bindAndConnect leaves a socket file behind if it cannot connect, as bind(2) and connect(2) do.
func bindAndConnect(fd int, path, local string, socketType uint8) error {
	if local != "" {
		name, err := sockaddr(local, socketType)
		if err == nil {
			err = unix.Bind(fd, name)
		}
		if err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	sa, err := sockaddr(path, socketType)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, sa); err != nil {
		return err
	}
	if who, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
		allowTracing(int(who.Pid)) // whoever listens; who accepted is known by its hello
	}
	return nil
}

// NewPair returns the two ends of a pipe of this process.
func NewPair() (a, b *Pipe, err error) {
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

// OpenPipe makes a pipe of an end that another process has handed on; it owns fd. EPROTO: it is no such thing.
func OpenPipe(fd int) (*Pipe, error) {
	if !isMessagePipe(fd) {
		unix.Close(fd)
		return nil, unix.EPROTO
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return newPipe(fd)
}

func isMessagePipe(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return false
	}
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && typ == unix.SOCK_SEQPACKET
}
