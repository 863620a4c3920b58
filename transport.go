package afunix

import (
	"context"
	"errors"
	"net"

	"afunix/internal/kernel"
	"afunix/internal/transport"
)

// A Transport is what carries messages and descriptors.
type Transport int

// The transports.
const (
	// DefaultTransport is the kernel's where that passes descriptors, else the pipe transport.
	DefaultTransport Transport = iota
	// KernelTransport is the system's own AF_UNIX. On Windows that has streams only, and passes no descriptors; Dial finds such
	// sockets by itself.
	KernelTransport
	// PipeTransport is our packets over a message pipe: on Windows and Linux.
	PipeTransport
)

// String returns the transport's name.
func (t Transport) String() string {
	switch t {
	case DefaultTransport:
		return "default"
	case KernelTransport:
		return "kernel"
	case PipeTransport:
		return "pipe"
	}
	return "unknown transport"
}

// choose returns t, or what the default is on this system.
func (t Transport) choose() Transport {
	if t == DefaultTransport {
		return systemTransport
	}
	return t
}

func (d *Dialer) dial(ctx context.Context, network string, raddr *net.UnixAddr) (transport.Conn, error) {
	switch d.Transport.choose() {
	case KernelTransport:
		return dialNative(ctx, d, network, d.LocalAddr, raddr)
	case PipeTransport:
		c, err := dialPipe(ctx, d, network, d.LocalAddr, raddr)
		if isNative(err) && d.Transport == DefaultTransport {
			return dialNative(ctx, d, network, d.LocalAddr, raddr)
		}
		return c, err
	}
	return nil, errors.ErrUnsupported
}

func (lc *ListenConfig) listen(ctx context.Context, network string, laddr *net.UnixAddr) (transport.Listener, error) {
	switch lc.Transport.choose() {
	case KernelTransport:
		l, err := kernel.Listen(ctx, network, laddr.Name, lc.kernelConfig())
		if err != nil {
			return nil, err
		}
		return l, nil
	case PipeTransport:
		return listenPipe(ctx, lc, network, laddr)
	}
	return nil, errors.ErrUnsupported
}

func (lc *ListenConfig) listenPacket(ctx context.Context, network string, laddr *net.UnixAddr) (transport.Conn, error) {
	switch lc.Transport.choose() {
	case KernelTransport:
		return asTransport(kernel.ListenPacket(ctx, network, laddr.Name, lc.kernelConfig()))
	case PipeTransport:
		return listenPacketPipe(ctx, lc, network, laddr)
	}
	return nil, errors.ErrUnsupported
}

func (t Transport) pair(network string) (a, b transport.Conn, err error) {
	switch t.choose() {
	case KernelTransport:
		a, b, err := kernel.Pair(network)
		if err != nil {
			return nil, nil, err
		}
		return a, b, nil
	case PipeTransport:
		return pairPipe(network)
	}
	return nil, nil, errors.ErrUnsupported
}

func (lc *ListenConfig) kernelConfig() kernel.Config {
	return kernel.Config{Backlog: lc.Backlog, Mode: lc.Mode, Authorize: authorizer(lc.Authorize)}
}

// dialNative dials a socket of the system's own AF_UNIX.
func dialNative(ctx context.Context, d *Dialer, network string, laddr, raddr *net.UnixAddr) (transport.Conn, error) {
	return asTransport(kernel.Dial(ctx, network, laddr, raddr.Name, d.authorizer(ctx)))
}

// asTransport makes a nil interface of a nil connection.
func asTransport(c *kernel.Conn, err error) (transport.Conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}
