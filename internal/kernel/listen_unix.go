//go:build unix

package kernel

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"afunix/internal/longpath"
	"afunix/internal/permission"
	"afunix/internal/sockfile"
	"afunix/internal/transport"

	"golang.org/x/sys/unix"
)

// Listen listens for connections at name.
func (Transport) Listen(ctx context.Context, network, name string, o transport.Options) (transport.Listener, error) {
	if err := supported(network, name); err != nil {
		return nil, err
	}
	p, err := permission.Of(o.Mode, o.Owner, o.Group, hasFile(name))
	if err != nil {
		return nil, err
	}
	short, release, err := longpath.ToBind(name)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := listenMode(ctx, network, short, p)
	if err != nil {
		return nil, inner(err)
	}
	if err := setBacklog(l, o.Backlog); err != nil {
		l.Close()
		return nil, err
	}
	k, err := newListener(l, sockfile.Made(name))
	if err != nil {
		return nil, err
	}
	if short != name {
		k.long = &net.UnixAddr{Name: name, Net: network}
	}
	if o.Authorize != nil {
		k.door = newDoor(k.accepting(), o.Authorize, o.Backlog)
	}
	return k, nil
}

// A Listener is a socket that listens: a [transport.Listener]. The socket file is removed by us,
// and not by package net, which does not look whether it is still the listener's.
type Listener struct {
	l    *net.UnixListener
	raw  syscall.RawConn // of l
	long *net.UnixAddr   // what l is bound to, if its address is too short for that
	file *sockfile.File
	door *door // nil: everybody is let in
}

// newListener takes l over.
func newListener(l *net.UnixListener, file *sockfile.File) (*Listener, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		l.Close()
		return nil, inner(err)
	}
	l.SetUnlinkOnClose(false)
	return &Listener{l: l, raw: raw, file: file}, nil
}

// SetUnlinkOnClose says whether Close removes the socket file, if that is still the listener's.
func (l *Listener) SetUnlinkOnClose(unlink bool) { l.file.SetUnlink(unlink) }

// Close stops listening. The socket file goes first.
func (l *Listener) Close() error {
	l.file.Close(l.raw)
	l.closeDoor()
	return inner(l.l.Close())
}

// ListenPacket binds a datagram socket to name.
func (Transport) ListenPacket(ctx context.Context, network, name string, o transport.Options) (transport.Conn, error) {
	if o.Authorize != nil {
		return nil, errors.ErrUnsupported
	}
	if err := supported(network, name); err != nil {
		return nil, err
	}
	if err := longpath.Check(name); err != nil { // a datagram has its sender's name with it
		return nil, err
	}
	p, err := permission.Of(o.Mode, o.Owner, o.Group, hasFile(name))
	if err != nil {
		return nil, err
	}
	u, err := listenPacketMode(ctx, network, name, p)
	if err != nil {
		return nil, inner(err)
	}
	c, err := newConn(u)
	if err != nil {
		u.Close()
		return nil, err
	}
	return c, nil
}

// setBacklog calls listen(2) once more: package net has asked for the maximum.
func setBacklog(l syscall.Conn, backlog int) error {
	if backlog == 0 {
		return nil
	}
	raw, err := l.SyscallConn()
	if err != nil {
		return inner(err)
	}
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = unix.Listen(int(fd), backlog) }); err != nil {
		return inner(err)
	}
	return os.NewSyscallError("listen", listenErr)
}

// hasFile reports whether a socket bound to the address has a socket file.
func hasFile(address string) bool { return address != "" && !isAbstract(address) }

// listenPacketMode binds a datagram socket. Where [control] cannot keep others out from the start,
// there is a moment in which everybody whom the umask lets in can send: such a socket receives as
// soon as it has a name.
func listenPacketMode(ctx context.Context, network, address string, p permission.Permission) (*net.UnixConn, error) {
	lc := net.ListenConfig{Control: control(p.Initial())}
	c, err := lc.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if hasFile(address) {
		if err := p.Apply(address); err != nil {
			c.Close()
			return nil, errors.Join(err, os.Remove(address))
		}
	}
	return c.(*net.UnixConn), nil
}
