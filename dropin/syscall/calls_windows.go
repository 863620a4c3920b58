package syscall

import (
	"syscall"

	"afunix/dropin/internal/ends"
)

// FD is what a descriptor may be: an int, as in programs for Unix, or a Handle.
type FD interface{ ~int | ~uintptr }

// Socketpair is socketpair(2), of the pipe transport; the domain is AF_UNIX.
func Socketpair(domain, typ, proto int) (fd [2]int, err error) {
	if domain != AF_UNIX {
		return fd, syscall.EAFNOSUPPORT
	}
	return ends.Socketpair(typ, proto)
}

// Close closes a descriptor of any kind: a socket, a handle, an end of the pipe transport.
func Close[T FD](fd T) error {
	if ok, err := ends.Close(int(fd)); ok {
		return err
	}
	return ends.CloseHandle(int(fd))
}

// CloseOnExec makes a descriptor one that child processes do not inherit.
func CloseOnExec[T FD](fd T) { syscall.CloseOnExec(Handle(fd)) }

// SetNonblock sets whether calls that name fd, an end of the pipe transport, may wait. For others
// Windows has no such thing, and nothing happens, as in package syscall.
func SetNonblock[T FD](fd T, nonblocking bool) error {
	if _, ok := ends.Lookup(int(fd)); ok {
		return ends.SetNonblock(int(fd), nonblocking)
	}
	return syscall.SetNonblock(Handle(fd), nonblocking)
}

// Read reads what there is, at least a byte unless it is the end.
func Read[T FD](fd T, p []byte) (n int, err error) {
	if r, ok := ends.Lookup(int(fd)); ok {
		return r.ReadFD(int(fd), p)
	}
	return syscall.Read(Handle(fd), p)
}

// Write writes p.
func Write[T FD](fd T, p []byte) (n int, err error) {
	if r, ok := ends.Lookup(int(fd)); ok {
		return r.WriteFD(int(fd), p)
	}
	return syscall.Write(Handle(fd), p)
}

// Sendto sends p as one message to an address, or to the peer if that is nil.
func Sendto[T FD](fd T, p []byte, flags int, to Sockaddr) (err error) {
	if _, ok := ends.Lookup(int(fd)); ok {
		return Sendmsg(int(fd), p, nil, to, flags)
	}
	return syscall.Sendto(Handle(fd), p, flags, to)
}

// Recvfrom receives one message; descriptors that come with it are closed.
func Recvfrom[T FD](fd T, p []byte, flags int) (n int, from Sockaddr, err error) {
	if _, ok := ends.Lookup(int(fd)); ok {
		n, _, _, from, err = Recvmsg(int(fd), p, nil, flags)
		return n, from, err
	}
	return syscall.Recvfrom(Handle(fd), p, flags)
}

// Shutdown shuts down one side of a connection, or both.
func Shutdown[T FD](fd T, how int) error {
	if r, ok := ends.Lookup(int(fd)); ok {
		return r.Shutdown(how)
	}
	return syscall.Shutdown(Handle(fd), how)
}

// Getsockname returns the name of a socket.
func Getsockname[T FD](fd T) (sa Sockaddr, err error) {
	if r, ok := ends.Lookup(int(fd)); ok {
		return &syscall.SockaddrUnix{Name: r.Name()}, nil
	}
	return syscall.Getsockname(Handle(fd))
}

// Getpeername returns the name of a socket's peer.
func Getpeername[T FD](fd T) (sa Sockaddr, err error) {
	r, ok := ends.Lookup(int(fd))
	if !ok {
		return syscall.Getpeername(Handle(fd))
	}
	name, err := r.PeerName()
	if err != nil {
		return nil, err
	}
	return &syscall.SockaddrUnix{Name: name}, nil
}

// Windows has no such calls for its own sockets: what is not an end of the pipe transport is EBADF,
// ENOTSOCK or EOPNOTSUPP.

func sendmsgN(fd int, _, _ []byte, _ Sockaddr, _ int) (int, error) { return 0, ends.NotAnEnd(fd) }

func recvmsg(fd int, _, _ []byte, _ int) (n, oobn int, recvflags int, from Sockaddr, err error) {
	return 0, 0, 0, nil, ends.NotAnEnd(fd)
}
