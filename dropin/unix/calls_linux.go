//go:build afunix_pipe

package unix

import (
	"golang.org/x/sys/unix"

	"afunix/dropin/internal/ends"
)

// Socketpair is socketpair(2). Pairs of domain AF_UNIX are of the pipe transport.
func Socketpair(domain, typ, proto int) (fd [2]int, err error) {
	if domain != unix.AF_UNIX {
		return unix.Socketpair(domain, typ, proto)
	}
	return ends.Socketpair(typ, proto)
}

// Close is close(2).
func Close(fd int) error {
	if ok, err := ends.Close(fd); ok {
		return err
	}
	return unix.Close(fd)
}

// CloseOnExec sets FD_CLOEXEC.
func CloseOnExec(fd int) { unix.CloseOnExec(fd) }

// SetNonblock sets O_NONBLOCK.
func SetNonblock(fd int, nonblocking bool) error { return unix.SetNonblock(fd, nonblocking) }

// Read is read(2).
func Read(fd int, p []byte) (n int, err error) {
	if r, ok := ends.Lookup(fd); ok {
		return r.ReadFD(fd, p)
	}
	return unix.Read(fd, p)
}

// Write is write(2).
func Write(fd int, p []byte) (n int, err error) {
	if r, ok := ends.Lookup(fd); ok {
		return r.WriteFD(fd, p)
	}
	return unix.Write(fd, p)
}

// Sendto is sendto(2).
func Sendto(fd int, p []byte, flags int, to Sockaddr) (err error) {
	if _, ok := ends.Lookup(fd); ok {
		return Sendmsg(fd, p, nil, to, flags)
	}
	return unix.Sendto(fd, p, flags, to)
}

// Send is send(2).
func Send(fd int, p []byte, flags int) (err error) { return Sendto(fd, p, flags, nil) }

// Recvfrom is recvfrom(2).
func Recvfrom(fd int, p []byte, flags int) (n int, from Sockaddr, err error) {
	if _, ok := ends.Lookup(fd); ok {
		n, _, _, from, err = Recvmsg(fd, p, nil, flags)
		return n, from, err
	}
	return unix.Recvfrom(fd, p, flags)
}

// Shutdown is shutdown(2).
func Shutdown(fd, how int) error {
	if r, ok := ends.Lookup(fd); ok {
		return r.Shutdown(how)
	}
	return unix.Shutdown(fd, how)
}

// Getsockname returns the name of a socket.
func Getsockname(fd int) (sa Sockaddr, err error) {
	if r, ok := ends.Lookup(fd); ok {
		return &unix.SockaddrUnix{Name: r.Name()}, nil
	}
	return unix.Getsockname(fd)
}

// Getpeername returns the name of a socket's peer.
func Getpeername(fd int) (sa Sockaddr, err error) {
	r, ok := ends.Lookup(fd)
	if !ok {
		return unix.Getpeername(fd)
	}
	name, err := r.PeerName()
	if err != nil {
		return nil, err
	}
	return &unix.SockaddrUnix{Name: name}, nil
}

// What is not of the pipe transport is the system's.

func sendmsgN(fd int, p, oob []byte, to Sockaddr, flags int) (int, error) {
	return unix.SendmsgN(fd, p, oob, to, flags)
}

func recvmsg(fd int, p, oob []byte, flags int) (n, oobn int, recvflags int, from Sockaddr, err error) {
	return unix.Recvmsg(fd, p, oob, flags)
}
