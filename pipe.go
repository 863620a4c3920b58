//go:build linux || windows

package afunix

import (
	"context"
	"errors"
	"net"

	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// The pipe transport: package endpoint over the message pipes of this system.

var socketTypes = map[string]sock.Type{
	streamNetwork: sock.Stream,
	packetNetwork: sock.Seqpacket,
	dgramNetwork:  sock.Datagram,
}

// connected returns the type of a network whose sockets are connected to one peer.
func connected(network string) (sock.Type, error) {
	if network == dgramNetwork {
		return 0, errors.ErrUnsupported
	}
	return socketTypes[network], nil
}

func dialPipe(ctx context.Context, d *Dialer, network string, laddr, raddr *net.UnixAddr) (transport.Conn, error) {
	t, err := connected(network)
	if err != nil {
		return nil, err
	}
	cfg := endpoint.Config{Type: t, Authorize: authorizer(d.Authorize)}
	if laddr != nil {
		cfg.Local = laddr.Name
	}
	p, err := openPipe(ctx, raddr.Name, cfg)
	if err != nil {
		return nil, err
	}
	c, err := endpoint.Dial(ctx, p, cfg)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func listenPipe(_ context.Context, lc *ListenConfig, network string, laddr *net.UnixAddr) (transport.Listener, error) {
	t, err := connected(network)
	if err != nil {
		return nil, err
	}
	source, err := newSource(lc, t, laddr.Name)
	if err != nil {
		return nil, err
	}
	cfg := endpoint.Config{Type: t, Local: laddr.Name, Authorize: authorizer(lc.Authorize)}
	return endpoint.Listen(source, cfg, lc.Backlog), nil
}

func listenPacketPipe(context.Context, *ListenConfig, string, *net.UnixAddr) (transport.Conn, error) {
	return nil, errors.ErrUnsupported
}

func pairPipe(network string) (a, b transport.Conn, err error) {
	t, err := connected(network)
	if err != nil {
		return nil, nil, err
	}
	x, y, err := newPipePair()
	if err != nil {
		return nil, nil, err
	}
	server, client, err := endpoint.Pair(x, y, endpoint.Config{Type: t})
	if err != nil {
		return nil, nil, err
	}
	return server, client, nil
}
