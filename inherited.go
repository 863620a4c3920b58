package afunix

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/received"
	"afunix/internal/transport"
)

// FileConn returns a copy of the AF_UNIX socket that f refers to, as a connection with everything:
// descriptors, credentials, deadlines. The socket is one that this process has inherited, for
// example, as standard input or by number. Closing the one does not affect the other; FileConn does
// not close f.
//
// As with [net.FileConn], the socket does not wait afterwards (O_NONBLOCK). That is a property of
// the socket, and so holds for all copies, in whatever process. A socket of another family is an
// error: package net has a FileConn for it. A socket that listens is one for [FileListener].
//
// An end of the pipe transport is no file, on no system: its queue is in the process that has the
// end. A process inherits such an end with [Conn.AttachTo] and [Inherited]. On Windows, where ends
// are the default, the handle of a pipe is therefore [errors.ErrUnsupported].
func FileConn(f *os.File) (*Conn, error) {
	return fileConn(f, "a connection of AF_UNIX", func(transport.Conn) bool { return true })
}

// FilePacketConn is [FileConn] for a datagram socket of AF_UNIX, and an error for any other.
func FilePacketConn(f *os.File) (*Conn, error) {
	return fileConn(f, "a datagram socket of AF_UNIX", func(t transport.Conn) bool { return t.LocalAddr().Net == dgramNetwork })
}

func fileConn(f *os.File, want string, is func(transport.Conn) bool) (*Conn, error) {
	c, err := received.Copy(f, func(v uintptr, k descriptor.Kind) (*Conn, error) {
		if k != descriptor.Unix {
			return nil, received.NoEnd(k, want)
		}
		c, err := received.Conn(v, k, netConn)
		if err != nil {
			return nil, err
		}
		if unix := c.(*Conn); is(unix.t) {
			return unix, nil
		}
		c.Close()
		return nil, descriptor.WrongKind(k, want)
	})
	return c, fileOperation(f).wrap(err)
}

// FileListener returns a copy of the AF_UNIX socket that f refers to, which listens: one that a
// service manager has passed to this process, for example. Addr is what the socket is bound to. The
// socket file is not the copy's, and stays when the copy is closed, unless
// [Listener.SetUnlinkOnClose] says otherwise. All else is said at [FileConn].
func FileListener(f *os.File) (*Listener, error) {
	l, err := received.Copy(f, func(v uintptr, k descriptor.Kind) (*Listener, error) {
		const want = "a listener of AF_UNIX"
		if k != descriptor.UnixListener {
			return nil, received.NoEnd(k, want)
		}
		l, err := received.Listener(v, k, netListener)
		if err != nil {
			return nil, err
		}
		if unix, ok := l.(*Listener); ok {
			return unix, nil
		}
		l.Close()
		return nil, errors.ErrUnsupported // on Windows
	})
	return l, fileOperation(f).wrap(err)
}

// fileOperation is that of package net.
func fileOperation(f *os.File) operation {
	const network = "file+net"
	op := operation{op: "file", network: network, call: "fcntl"}
	if f != nil {
		op.addr = &net.UnixAddr{Name: f.Name(), Net: network}
	}
	return op
}

// File returns a file with a copy of the socket, for a library that wants one, or for a child
// process ([os/exec.Cmd.ExtraFiles]). Closing the one does not affect the other. Of a connection of
// the pipe transport there is no such file, nor of a socket of Windows' own AF_UNIX:
// [errors.ErrUnsupported]. Send such a connection to another process with WriteMsg, or give it to a
// child with [Conn.AttachTo].
func (c *Conn) File() (*os.File, error) {
	name := fmt.Sprintf("%s:%v->", c.network, c.LocalAddr())
	if remote := c.RemoteAddr(); remote != nil {
		name += remote.String()
	}
	raw, err := c.t.SyscallConn()
	f, err := fileOf(c.Transport(), raw, err, name)
	return f, c.operation("file", "fcntl").wrap(err)
}

// File returns a file with a copy of the socket, as [Conn.File] does. Close of l removes the socket
// file all the same, unless [Listener.SetUnlinkOnClose] says otherwise. Whoever accepts by way of
// the file does not ask [ListenConfig.Authorize].
func (l *Listener) File() (*os.File, error) {
	raw, err := l.t.SyscallConn()
	f, err := fileOf(l.Transport(), raw, err, fmt.Sprintf("%s:%v->", l.network, l.Addr()))
	return f, l.operation("file", "fcntl").wrap(err)
}

// errNoFile is why there is no file with an end of the pipe transport.
var errNoFile = fmt.Errorf("%w: an end of the pipe transport is more than a descriptor: "+
	"send it with WriteMsg, or give a connection to a child with AttachTo", errors.ErrUnsupported)

// fileOf returns a file with a copy of the socket to which raw gives access, if err is nil.
func fileOf(of Transport, raw syscall.RawConn, err error, name string) (f *os.File, _ error) {
	switch {
	case of != KernelTransport:
		return nil, errNoFile
	case err != nil:
		return nil, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { f, failed = copyOf(fd, name) }); err != nil {
		return nil, net.ErrClosed
	}
	return f, failed
}

func copyOf(fd uintptr, name string) (*os.File, error) {
	dup, err := descriptor.System.Dup(fd, descriptor.Unix)
	if err != nil {
		return nil, err
	}
	f, err := received.File(dup, descriptor.Unix, name)
	if err != nil {
		_ = descriptor.System.Close(dup, descriptor.Unix) // the reason is why there is no file
	}
	return f, err
}
