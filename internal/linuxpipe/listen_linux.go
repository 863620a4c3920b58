package linuxpipe

import (
	"cmp"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"afunix/internal/longpath"
	"afunix/internal/permission"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/sockfile"
)

// A Listener creates the server's ends of pipes: a [pipe.Source] and a [pipe.Shedder].
type Listener struct {
	file   *os.File
	raw    syscall.RawConn
	shared bool   // it was handed on: others may have the open file description
	name   string // what it was bound to
	bound  *sockfile.File
	spare  spare
}

// Listen binds name, and listens. Nobody can connect to the socket file before it has the mode.
func (System) Listen(name string, t sock.Type, o pipe.Options) (pipe.Source, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, err
	}
	if err := bindAndListen(fd, name, o, t); err != nil {
		unix.Close(fd)
		return nil, err
	}
	l, err := newListener(fd, name, sockfile.Made(name))
	if err != nil {
		return nil, err
	}
	return l, nil
}

// newListener owns fd.
func newListener(fd int, name string, bound *sockfile.File) (*Listener, error) {
	l := &Listener{file: os.NewFile(uintptr(fd), name), name: name, bound: bound}
	var err error
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil, err
	}
	l.spare.fd = none
	l.spare.keep()
	return l, nil
}

// newSocket returns a socket on which the kernel will name the peer.
func newSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := expectHello(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func bindAndListen(fd int, name string, o pipe.Options, t sock.Type) error {
	file := !pipe.IsAbstract(name)
	p, err := permission.Of(o.Mode, o.Owner, o.Group, file)
	if err != nil {
		return err
	}
	err = reach(longpath.ToBind).by(name, t, func(sa *unix.SockaddrUnix) error { return unix.Bind(fd, sa) })
	if err != nil {
		return err
	}
	if file {
		err = p.Apply(name)
	}
	if err == nil {
		// The engine takes connections in at once and keeps the user's backlog itself.
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil && file {
		unix.Unlink(name) // the error that matters is the first
	}
	return err
}

// Accept waits for the next client.
func (l *Listener) Accept() (pipe.Pipe, error) {
	var fd int
	var errno error
	err := l.raw.Read(func(s uintptr) bool {
		for {
			fd, errno = l.acceptNow(s)
			if errno != unix.EINTR && errno != unix.ECONNABORTED {
				return errno != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return nil, net.ErrClosed
	}
	if errno != nil {
		return nil, errno
	}
	return newPipe(fd)
}

// acceptNow fails with EAGAIN where no client waits. There is no MSG_DONTWAIT for accept4(2), and
// the socket's former owner may make it blocking at any time. So acceptNow looks first whether a
// client waits. (The former owner could take that client in between: then the call waits for the
// next one.)
func (l *Listener) acceptNow(s uintptr) (fd int, err error) {
	if l.shared {
		if ready, err := poll(s, unix.POLLIN); err != nil || !ready {
			return -1, cmp.Or(err, error(unix.EAGAIN))
		}
	}
	fd, _, err = unix.Accept4(int(s), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	return fd, err
}

// SetUnlinkOnClose says whether Close removes the socket file, if that is still the listener's. It
// does if Listen made it, unless told otherwise.
func (l *Listener) SetUnlinkOnClose(unlink bool) { l.bound.SetUnlink(unlink) }

// Unlink does what comes first in Close: see pipe.Source.
func (l *Listener) Unlink() error {
	l.bound.Close(l.raw)
	return nil
}

// Close stops listening. As in package net, the socket file is removed first, so that it is never a
// stale one.
func (l *Listener) Close() error {
	l.bound.Close(l.raw)
	l.spare.close()
	if err := l.file.Close(); err != nil {
		return net.ErrClosed
	}
	return nil
}

// Name returns what the listener is bound to.
func (l *Listener) Name() string { return l.name }

// SyscallConn gives access to the socket.
func (l *Listener) SyscallConn() syscall.RawConn { return l.raw }

// Suspend ends accepting: see pipe.Source. Clients that come wait in the kernel's backlog.
func (l *Listener) Suspend() (descriptors []uintptr, state []byte, err error) {
	// The new owner may be in another directory, and this process may be by now.
	name := cmp.Or(l.bound.Absolute(), l.name)
	var fd uintptr
	if l.raw.Control(func(s uintptr) { fd = s }) != nil {
		return nil, nil, net.ErrClosed
	}
	state = append(state, 0)
	if l.bound.Unlinks() {
		state[0] = 1
	}
	l.file.SetReadDeadline(aLongTimeAgo) // fails only on a closed file, whose Accept does not wait either
	return []uintptr{fd}, append(state, name...), nil
}

// Resume undoes Suspend.
func (l *Listener) Resume() {
	l.file.SetReadDeadline(time.Time{}) // fails only on a closed file
}
