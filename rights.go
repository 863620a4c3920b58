package afunix

import (
	"net"
	"os"

	"afunix/internal/descriptor"
	"afunix/internal/received"
	"afunix/internal/transport"
)

// Rights own the descriptors of one message, in the order in which they were sent. Each descriptor
// can be taken once. Close closes the descriptors that were not taken. Rights that are dropped are
// closed by the garbage collector, sooner or later. Child processes inherit no received descriptor.
//
// If not every descriptor could be installed (the process is out of descriptors), all of them are
// closed, and ReadMsg returns [ErrRightsTruncated] beside the data. There is one exception. A
// socket of Linux 7.3 may have the option SO_RIGHTS_NOTRUNC, set through SyscallConn or by a
// process that had the socket before. Then the kernel puts an errno in the place of a descriptor
// that it does not install. That errno is the error of this index, and the other descriptors are
// there.
//
// The zero value has no descriptors. The errors of its methods are [RightsError]s: EINVAL around an
// index that is out of range, [os.ErrClosed] for a descriptor that was taken. If another error is
// returned, Rights still own the descriptor.
type Rights struct{ set *descriptor.Set }

// Len returns the number of descriptors, those that were taken included.
func (r Rights) Len() int { return r.set.Len() }

// Kind tells what descriptor i is. An index out of range is KindOther.
func (r Rights) Kind(i int) Kind {
	if i < 0 || i >= r.Len() {
		return KindOther
	}
	return Kind(r.set.Kind(i))
}

// Descriptor takes descriptor i, which the caller closes with the system's own call: close(2),
// CloseHandle or closesocket.
func (r Rights) Descriptor(i int) (Descriptor, error) {
	v, _, err := r.set.Take(i)
	if err != nil {
		return 0, &RightsError{i, err}
	}
	return Descriptor(v), nil
}

// File takes descriptor i as a file. On Unix the descriptor can be anything. On Windows it cannot
// be a socket, and a handle that was opened for overlapped I/O works, but without deadlines. On
// Windows File may also wait: if the handle is a pipe or a console that was opened for synchronous
// I/O, as the pipes of [os.Pipe] are, File waits while any process reads from it. Every other
// operation on such a handle waits, too.
func (r Rights) File(i int) (f *os.File, err error) {
	err = r.give(i, func(v uintptr, k descriptor.Kind, e descriptor.End) error {
		if e != nil {
			return descriptor.WrongKind(k, "a file")
		}
		f, err = received.File(v, k, "received")
		return err
	})
	return f, err
}

// Conn takes descriptor i, a socket that does not listen, as a connection with deadlines. An
// AF_UNIX socket is a *[Conn].
//
// On Unix, Conn, Listener and PacketConn set O_NONBLOCK, which package net needs. The flag is
// shared with the sender, if the sender still has the socket: programs in Go notice nothing, but
// others may count on calls that wait. [Rights.File] and [Rights.Descriptor] leave the flag as it
// came.
func (r Rights) Conn(i int) (c net.Conn, err error) {
	err = r.give(i, func(v uintptr, k descriptor.Kind, e descriptor.End) error {
		if end, ok := e.(transport.Conn); ok {
			c = netConn(end)
			return nil
		}
		switch k {
		case descriptor.Stream, descriptor.Datagram, descriptor.Unix:
			c, err = received.Conn(v, k, netConn)
			return err
		}
		return descriptor.WrongKind(k, "a connection")
	})
	return c, err
}

// Listener takes descriptor i, a socket that listens. An AF_UNIX socket is a *[Listener], whose
// Close does not remove the socket file. A socket of Windows' own AF_UNIX is like a TCP listener.
func (r Rights) Listener(i int) (l net.Listener, err error) {
	err = r.give(i, func(v uintptr, k descriptor.Kind, e descriptor.End) error {
		if end, ok := e.(transport.Listener); ok {
			l = netListener(end)
			return nil
		}
		switch k {
		case descriptor.Listener, descriptor.UnixListener:
			l, err = received.Listener(v, k, netListener)
			return err
		}
		return descriptor.WrongKind(k, "a listener")
	})
	return l, err
}

// PacketConn takes descriptor i, a datagram socket. An AF_UNIX socket is a *[Conn].
func (r Rights) PacketConn(i int) (c net.PacketConn, err error) {
	err = r.give(i, func(v uintptr, k descriptor.Kind, e descriptor.End) error {
		end, ok := e.(transport.Conn)
		switch {
		case ok && end.LocalAddr().Net == dgramNetwork:
			c = netPacketConn(end)
			return nil
		case e != nil: // it has no value
		case k == descriptor.Datagram, k == descriptor.Unix:
			c, err = received.PacketConn(v, k, netPacketConn)
			return err
		}
		return descriptor.WrongKind(k, "a datagram socket")
	})
	return c, err
}

// Close closes the descriptors that were not taken.
func (r Rights) Close() error { return r.set.Close() }

// give shows descriptor i to take, which owns it if it returns nil.
func (r Rights) give(i int, take func(v uintptr, k descriptor.Kind, e descriptor.End) error) error {
	if err := r.set.Give(i, take); err != nil {
		return &RightsError{i, err}
	}
	return nil
}

// These make of a received AF_UNIX socket what the public API has.

func netConn(t transport.Conn) net.Conn { return newConn(t, t.LocalAddr().Net) }

func netPacketConn(t transport.Conn) net.PacketConn { return newConn(t, t.LocalAddr().Net) }

func netListener(t transport.Listener) net.Listener { return newListener(t, t.Addr().Net) }
