//go:build afunix_pipe

package unix

import (
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"afunix/dropin/internal/ends"
)

// Sendmsg is sendmsg(2).
func Sendmsg(fd int, p, oob []byte, to Sockaddr, flags int) error {
	_, err := SendmsgN(fd, p, oob, to, flags)
	return err
}

// SendmsgN is sendmsg(2), and returns how much of p was sent. Descriptors without data get a zero
// byte to go with, which does not count.
func SendmsgN(fd int, p, oob []byte, to Sockaddr, flags int) (n int, err error) {
	r, ok := ends.Lookup(fd)
	if !ok {
		return sendmsgN(fd, p, oob, to, flags)
	}
	name, err := unixName(to)
	if err != nil {
		return 0, err
	}
	return r.Sendmsg(fd, p, oob, name, flags)
}

// unixName returns the name that an address has; of none it is empty.
func unixName(to Sockaddr) (string, error) {
	switch to := to.(type) {
	case nil:
		return "", nil
	case *unix.SockaddrUnix:
		return to.Name, nil
	}
	return "", unix.EAFNOSUPPORT
}

// Recvmsg is recvmsg(2).
func Recvmsg(fd int, p, oob []byte, flags int) (n, oobn int, recvflags int, from Sockaddr, err error) {
	r, ok := ends.Lookup(fd)
	if !ok {
		return recvmsg(fd, p, oob, flags)
	}
	got, err := r.Recvmsg(fd, p, oob, flags)
	return got.N, got.OOBN, got.Flags, sockaddr(got.From), err
}

func sockaddr(a *net.UnixAddr) Sockaddr {
	if a == nil {
		return nil
	}
	return &unix.SockaddrUnix{Name: a.Name}
}

// SendmsgBuffers is sendmsg(2) with several buffers.
func SendmsgBuffers(fd int, buffers [][]byte, oob []byte, to Sockaddr, flags int) (n int, err error) {
	if _, ok := ends.Lookup(fd); !ok {
		return unix.SendmsgBuffers(fd, buffers, oob, to, flags)
	}
	return SendmsgN(fd, slices.Concat(buffers...), oob, to, flags)
}

// RecvmsgBuffers is recvmsg(2) with several buffers.
func RecvmsgBuffers(fd int, buffers [][]byte, oob []byte,
	flags int) (n, oobn int, recvflags int, from Sockaddr, err error) {
	if _, ok := ends.Lookup(fd); !ok {
		return unix.RecvmsgBuffers(fd, buffers, oob, flags)
	}
	all := slices.Concat(buffers...) // a buffer as long as they are together
	n, oobn, recvflags, from, err = Recvmsg(fd, all, oob, flags)
	for _, b := range buffers {
		all = all[copy(b, all):]
	}
	return n, oobn, recvflags, from, err
}
