//go:build linux || windows

package piped

import (
	"context"
	"errors"
	"net"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// Transport is the pipe transport: a [transport.Transport].
type Transport struct{}

var _ transport.Transport = Transport{}

// Dial connects a socket to the one called name.
func (Transport) Dial(ctx context.Context, network string, laddr *net.UnixAddr, name string,
	authorize transport.Authorize) (transport.Conn, error) {
	t := sock.TypeOf(network)
	if t == sock.Datagram {
		return dialPacket(ctx, laddr, name, authorize)
	}
	cfg := endpoint.Config{Type: t, Dialled: name, Authorize: authorize, Autobind: autobind(t), World: &world}
	if laddr != nil {
		cfg.Local = laddr.Name
	}
	p, err := system.Dial(ctx, name, cfg.Local, t)
	if err != nil {
		return nil, err
	}
	c, err := endpoint.Dial(ctx, p, cfg)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dialPacket makes a datagram socket that is connected, or only bound if there is no name to
// connect to. As over the kernel, no peer is known about whom authorize could be asked.
func dialPacket(ctx context.Context, laddr *net.UnixAddr, name string,
	authorize transport.Authorize) (transport.Conn, error) {
	if authorize != nil {
		return nil, errors.ErrUnsupported
	}
	if name == "" {
		return listenPacket(names{}, laddr.Name)
	}
	local := ""
	if laddr != nil {
		local = laddr.Name
	}
	c, err := endpoint.DialPacket(ctx, names{}, laddr != nil, local, name, endpoint.Config{World: &world})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Listen listens for connections at name.
func (Transport) Listen(_ context.Context, network, name string, o transport.Options) (transport.Listener, error) {
	t := sock.TypeOf(network)
	source, name, err := bind(name, t, pipeOptions(o))
	if err != nil {
		return nil, err
	}
	cfg := endpoint.Config{Type: t, Local: name, Authorize: o.Authorize, World: &world}
	return endpoint.Listen(source, cfg, o.Backlog), nil
}

// ListenPacket binds a datagram socket to name.
func (Transport) ListenPacket(_ context.Context, _, name string, o transport.Options) (transport.Conn, error) {
	if o.Authorize != nil {
		return nil, errors.ErrUnsupported
	}
	return listenPacket(names{pipeOptions(o)}, name)
}

func listenPacket(n names, name string) (transport.Conn, error) {
	c, err := endpoint.ListenPacket(n, name, endpoint.Config{World: &world})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Pair returns two sockets that are connected to each other.
func (Transport) Pair(network string) (a, b transport.Conn, err error) {
	t := sock.TypeOf(network)
	x, y, err := system.Pair()
	if err != nil {
		return nil, nil, err
	}
	server, client, err := endpoint.Pair(x, y, endpoint.Config{Type: t, Autobind: autobind(t), World: &world})
	if err != nil {
		return nil, nil, err
	}
	return server, client, nil
}

// Inherit makes a connection of what this process has inherited.
func (Transport) Inherit(v uintptr, state []byte) (transport.Conn, error) {
	c, err := endpoint.Inherit(&world, v, state)
	if err != nil {
		return nil, err
	}
	return c, nil
}
