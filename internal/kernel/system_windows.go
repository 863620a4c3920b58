package kernel

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/longpath"
	"afunix/internal/lookalike"
	"afunix/internal/transport"

	"golang.org/x/sys/windows"
)

// supported reports what Windows' AF_UNIX lacks: everything but streams with a path (afunix.h; its
// abstract names do not work). That path is one of a file of this machine.
func supported(network, address string) error {
	if network != stream || isAbstract(address) {
		return errors.ErrUnsupported
	}
	return lookalike.Connectable(address)
}

// Listen listens for connections at name. Neither the backlog nor a permission can be
// set.
func (Transport) Listen(ctx context.Context, network, name string, o transport.Options) (transport.Listener, error) {
	if err := lookalike.Bindable(name); err != nil {
		return nil, err
	}
	if err := supported(network, name); err != nil {
		return nil, err
	}
	if o.Backlog != 0 || o.Mode != 0 || o.Owner != "" || o.Group != "" {
		return nil, errors.ErrUnsupported
	}
	if err := longpath.Check(name); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, name)
	if err != nil {
		return nil, inner(err)
	}
	k := &Listener{l: l.(*net.UnixListener)}
	k.l.SetUnlinkOnClose(false)
	k.SetUnlinkOnClose(true)
	if k.path, err = filepath.Abs(name); err != nil {
		k.path = name
	}
	if o.Authorize != nil {
		k.door = newDoor(k.accepting(), o.Authorize, o.Backlog)
	}
	return k, nil
}

// A Listener is a socket that listens: a [transport.Listener]. The socket file is removed by us,
// and not by package net, which looks for it in the directory that the process has changed to.
type Listener struct {
	l       *net.UnixListener
	long    *net.UnixAddr // always nil: there is no way to a longer path
	door    *door         // nil: everybody is let in
	path    string        // of the socket file
	unlink  atomic.Bool
	closing sync.Once
}

// SetUnlinkOnClose says whether Close removes the socket file.
func (l *Listener) SetUnlinkOnClose(unlink bool) { l.unlink.Store(unlink) }

// removeFile removes the socket file, if it is to go, and if there is one at its path still.
func (l *Listener) removeFile() {
	if info, err := os.Lstat(l.path); l.unlink.Load() && err == nil && info.Mode()&os.ModeSocket != 0 {
		_ = os.Remove(l.path) // package net does not look at the error either
	}
}

// Close stops listening. The socket file goes first; a second Close waits for that.
func (l *Listener) Close() error {
	l.closing.Do(l.removeFile)
	l.closeDoor()
	return inner(l.l.Close())
}

// ListenPacket is not possible here.
func (Transport) ListenPacket(context.Context, string, string, transport.Options) (transport.Conn, error) {
	return nil, errors.ErrUnsupported
}

// Pair is not possible here.
func (Transport) Pair(string) (a, b transport.Conn, err error) {
	return nil, nil, errors.ErrUnsupported
}

// Inherit is not possible here: what DuplicateHandle makes of a socket is none to Winsock.
func (Transport) Inherit(uintptr, []byte) (transport.Conn, error) { return nil, errors.ErrUnsupported }

// HandDown is not possible here.
func (c *Conn) HandDown(func(uintptr, []byte) error) error { return errors.ErrUnsupported }

// NewConn makes a Conn of a received socket, which it takes over. Package net cannot read from it:
// see package winsock.
func NewConn(received socket) (*Conn, error) { return newConn(received) }

// Proxied makes a Conn of a connection over TCP that stands for one of AF_UNIX. The Conn takes c
// over. (See package plain.)
func Proxied(c *net.TCPConn, remote *net.UnixAddr, peer cred.Credentials, peerErr error) (*Conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, inner(err)
	}
	return &Conn{c: c, raw: raw, network: remote.Net, local: &net.UnixAddr{Net: remote.Net}, remote: remote,
		peer: peer, peerErr: peerErr}, nil
}

// Plain is an error of package net as this package has it.
func Plain(err error) error { return inner(err) }

// Send sends b; files cannot be sent.
func (c *Conn) Send(b []byte, files []transport.File, to *net.UnixAddr) (int, error) {
	switch {
	case len(files) > 0:
		return 0, &descriptor.IndexError{Index: 0, Err: descriptor.ErrNotSendable}
	case to != nil:
		return 0, errors.ErrUnsupported
	}
	return c.Write(b)
}

// WriteBuffers writes what is in all slices.
func (c *Conn) WriteBuffers(b [][]byte) (int64, error) { return transport.Joined(b, c.Write) }

// Recv is a Read; there is nothing to peek with, since package net has no such receive on Windows.
func (c *Conn) Recv(b []byte, peek bool) (transport.Message, error) {
	if peek {
		return transport.Message{}, errors.ErrUnsupported
	}
	n, err := c.Read(b)
	return transport.Message{N: n}, err
}

// SetPassCredentials is not possible here.
func (c *Conn) SetPassCredentials(bool) error { return errors.ErrUnsupported }

// PassCredentials is never on.
func (c *Conn) PassCredentials() (bool, error) { return false, nil }

// SetPassCredentials is not possible here.
func (l *Listener) SetPassCredentials(bool) error { return errors.ErrUnsupported }

// numbers are those that programs know from Unix for errors of Winsock.
var numbers = map[syscall.Errno]error{
	windows.ERROR_ACCESS_DENIED: syscall.EACCES,
	windows.WSAEACCES:           syscall.EACCES,
	windows.WSAEADDRINUSE:       syscall.EADDRINUSE,
	windows.WSAECONNABORTED:     syscall.ECONNRESET,
	windows.WSAECONNREFUSED:     syscall.ECONNREFUSED,
	windows.WSAECONNRESET:       syscall.ECONNRESET,
	windows.WSAEINVAL:           syscall.EINVAL,
	windows.WSAEMFILE:           syscall.EMFILE,
	windows.WSAENOBUFS:          syscall.ENOBUFS,
	windows.WSAENOTCONN:         syscall.ENOTCONN,
	windows.WSAESHUTDOWN:        syscall.EPIPE,

	// Windows before 10, and Wine, have no AF_UNIX at all.
	windows.WSAEAFNOSUPPORT: errors.ErrUnsupported,
}

// translate replaces the number of an error of Winsock, and keeps the name of the call that failed.
func translate(err error) error {
	call := ""
	if s, ok := err.(*os.SyscallError); ok {
		call, err = s.Syscall, s.Err
	}
	if errno, ok := err.(syscall.Errno); ok {
		if known, ok := numbers[errno]; ok {
			err = known
		}
	}
	if call != "" {
		return os.NewSyscallError(call, err)
	}
	return err
}
