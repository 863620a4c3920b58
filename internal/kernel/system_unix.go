//go:build unix

package kernel

import (
	"net"
	"os"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/sockfile"
	"afunix/internal/transport"

	"golang.org/x/sys/unix"
)

// translate has nothing to do where the errors are those that Unix has.
func translate(err error) error { return err }

// Pair is socketpair(2).
func (Transport) Pair(network string) (a, b transport.Conn, err error) {
	if err := supported(network, ""); err != nil {
		return nil, nil, err
	}
	p, err := socketpair(network)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if a, err = ownEnd(p[0]); err != nil {
		return nil, nil, err
	}
	if b, err = ownEnd(p[1]); err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

func socketpair(network string) ([2]int, error) {
	types := map[string]int{stream: unix.SOCK_STREAM, packet: unix.SOCK_SEQPACKET, dgram: unix.SOCK_DGRAM}
	syscall.ForkLock.RLock() // not every system has SOCK_CLOEXEC
	defer syscall.ForkLock.RUnlock()
	p, err := unix.Socketpair(unix.AF_UNIX, types[network], 0)
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	return p, err
}

// ownEnd is NewConn for one end of a pair that this process made: its peer is this process, even
// where the system does not say.
func ownEnd(fd int) (*Conn, error) {
	c, err := NewConn(uintptr(fd))
	if err == nil && c.peerErr != nil {
		c.peer, c.peerErr = cred.Self(), nil
	}
	return c, err
}

// NewConn makes a Conn of a duplicate of fd, an AF_UNIX socket that does not listen.
func NewConn(fd uintptr) (*Conn, error) {
	f, err := duplicate(fd)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := net.FileConn(f)
	if err != nil {
		return nil, inner(err)
	}
	u, ok := n.(*net.UnixConn)
	if !ok {
		n.Close()
		return nil, syscall.EAFNOSUPPORT
	}
	c, err := newConn(u)
	if err != nil {
		u.Close()
		return nil, err
	}
	return c, nil
}

// HandDown gives the socket to a child process.
func (c *Conn) HandDown(give func(fd uintptr, state []byte) error) error {
	var err error
	if c.raw.Control(func(fd uintptr) { err = give(fd, nil) }) != nil {
		return net.ErrClosed
	}
	if err == nil {
		c.Close() // there is a duplicate, and so nothing to report
	}
	return err
}

// Inherit makes a Conn of a descriptor that this process has inherited.
func (Transport) Inherit(fd uintptr, _ []byte) (transport.Conn, error) {
	defer unix.Close(int(fd))
	c, err := NewConn(fd)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// NewListener makes a Listener of a duplicate of fd, an AF_UNIX socket that listens. It does not
// unlink the socket file unless told to, and lets every peer in.
func NewListener(fd uintptr) (*Listener, error) {
	f, err := duplicate(fd)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := net.FileListener(f)
	if err != nil {
		return nil, inner(err)
	}
	u, ok := n.(*net.UnixListener)
	if !ok {
		n.Close()
		return nil, syscall.EAFNOSUPPORT
	}
	return newListener(u, sockfile.Received(unixAddr(u.Addr()).Name))
}

// duplicate is what package net wants a descriptor in. It duplicates once more: an os.File of the
// original would close it.
func duplicate(fd uintptr) (*os.File, error) {
	dup, err := descriptor.System.Dup(fd, descriptor.Unix)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(dup, "socket"), nil
}
