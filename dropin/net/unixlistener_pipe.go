//go:build windows || (linux && afunix_pipe)

package net

import (
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"afunix"
	"afunix/dropin/internal/ends"
)

// UnixListener is net.UnixListener over the pipe transport of package afunix.
type UnixListener struct {
	*owned
	unlink  atomic.Bool
	once    sync.Once
	dropped runtime.Cleanup
}

var (
	_ net.Listener = (*UnixListener)(nil)
	_ syscall.Conn = (*UnixListener)(nil)
)

// newUnixListener returns a listener that removes its socket file when it is closed, and not when
// it is sent to another process.
func newUnixListener(l *afunix.Listener) *UnixListener {
	l.SetUnlinkOnClose(false)
	ref := ends.NewListener(l)
	if name := l.Addr().String(); name[0] != '@' {
		ref.SocketFile = newBoundFile(name)
	}
	u := unixListener(ref)
	u.unlink.Store(true)
	return u
}

// unixListener returns a listener that owns the reference, also if it is dropped. As in package
// net, the socket file stays then.
func unixListener(ref *ends.Ref) *UnixListener {
	l := &UnixListener{owned: &owned{ref: ref}}
	l.dropped = runtime.AddCleanup(l, (*owned).drop, l.owned)
	return l
}

func (l *UnixListener) ok() bool { return l != nil && l.owned != nil }

// opError is the shape that package net's errors of a listener have. A nil err stays nil.
func (l *UnixListener) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: l.ref.Network(), Addr: l.Addr(), Err: plain(err)}
}

// AcceptUnix accepts the next incoming call and returns the new connection.
func (l *UnixListener) AcceptUnix() (*UnixConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	var c *afunix.Conn
	err := l.ref.Do(func() (err error) {
		c, err = l.ref.Listener.AcceptConn()
		return err
	})
	if err != nil {
		return nil, l.opError("accept", err)
	}
	return newUnixConn(c, false), nil
}

// Accept implements the Accept method in the Listener interface. Returned connections will be of
// type *UnixConn.
func (l *UnixListener) Accept() (Conn, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close stops listening on the Unix address. Already accepted connections are not closed.
func (l *UnixListener) Close() error {
	if !l.ok() {
		return syscall.EINVAL
	}
	l.dropped.Stop()
	return l.opError("close", l.raw.close(func() error {
		l.once.Do(l.unlinkName)
		return l.ref.Close()
	}))
}

// unlinkName sees to it that the socket file is removed, if it is to be: here, if the listener goes
// on by way of a copy or in another process, as package net does it then; else by the listener as
// it closes. The file of a listener that was received cannot be told from another one's here. It
// goes with the last copy.
func (l *UnixListener) unlinkName() {
	switch {
	case !l.unlink.Load():
	case l.ref.SocketFile != nil && !l.ref.Last():
		l.ref.SocketFile.Remove()
	default:
		l.ref.Listener.SetUnlinkOnClose(true)
	}
}

// Addr returns the listener's network address.
func (l *UnixListener) Addr() Addr { return l.ref.Listener.Addr() }

// SetDeadline sets the deadline associated with the listener. A zero time value disables the
// deadline.
func (l *UnixListener) SetDeadline(t time.Time) error {
	if !l.ok() {
		return syscall.EINVAL
	}
	return l.ref.SetReadDeadline(t) // package net does not wrap the error either
}

// SetUnlinkOnClose sets whether the underlying socket file should be removed from the file system
// when the listener is closed. By default it is if Listen or ListenUnix made it.
func (l *UnixListener) SetUnlinkOnClose(unlink bool) { l.unlink.Store(unlink) }

// File returns a file whose descriptor is a copy of the listener's: the functions of the packages
// below afunix/dropin know it. Closing l does not affect it, and closing it does not affect l.
func (l *UnixListener) File() (*os.File, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	f, err := newFile(l.ref, l.ref.Network()+":"+l.Addr().String()+"->")
	return f, l.opError("file", err)
}

// SyscallConn returns a raw network connection. It only has a Control function: as with package
// net, Read and Write are EINVAL.
func (l *UnixListener) SyscallConn() (syscall.RawConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return rawListener{rawConn{l.owned, l, nil, l.Addr()}}, nil
}
