//go:build linux || windows

package afunix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"

	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// The pipe transport: package endpoint over the message pipes of this system.

var socketTypes = map[string]sock.Type{
	streamNetwork: sock.Stream,
	packetNetwork: sock.Seqpacket,
	dgramNetwork:  sock.Datagram,
}

// world is what ends need that have moved to this process.
var world = endpoint.World{System: system{}, Network: names{&ListenConfig{}}, Autobind: autobind}

func dialPipe(ctx context.Context, d *Dialer, network string, laddr, raddr *net.UnixAddr) (transport.Conn, error) {
	if network == dgramNetwork {
		return asPacket(dialPacketPipe(ctx, d, laddr, raddr))
	}
	t := socketTypes[network]
	cfg := endpoint.Config{Type: t, Authorize: d.authorizer(ctx), Autobind: autobind(t), World: &world}
	if laddr != nil {
		cfg.Local = laddr.Name
	}
	p, err := system{}.Dial(ctx, raddr.Name, cfg.Local, t)
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
	t := socketTypes[network]
	source, name, err := bindSource(lc, t, laddr.Name)
	if err != nil {
		return nil, err
	}
	cfg := endpoint.Config{Type: t, Local: name, Authorize: authorizer(lc.Authorize), World: &world}
	return endpoint.Listen(source, cfg, lc.Backlog), nil
}

// dialPacketPipe makes a datagram socket that is connected, or only bound if there is no name to connect to. As over the kernel,
// nobody is known whom d.Authorize could be asked about.
func dialPacketPipe(ctx context.Context, d *Dialer, laddr, raddr *net.UnixAddr) (*endpoint.PacketConn, error) {
	n := names{&ListenConfig{}}
	switch {
	case d.Authorize != nil:
		return nil, errors.ErrUnsupported
	case raddr.Name == "":
		return endpoint.ListenPacket(n, laddr.Name, endpoint.Config{World: &world})
	case laddr == nil:
		return endpoint.DialPacket(ctx, n, false, "", raddr.Name, endpoint.Config{World: &world})
	}
	return endpoint.DialPacket(ctx, n, true, laddr.Name, raddr.Name, endpoint.Config{World: &world})
}

func listenPacketPipe(_ context.Context, lc *ListenConfig, _ string, laddr *net.UnixAddr) (transport.Conn, error) {
	if lc.Authorize != nil {
		return nil, errors.ErrUnsupported
	}
	return asPacket(endpoint.ListenPacket(names{lc}, laddr.Name, endpoint.Config{World: &world}))
}

// asPacket makes a nil interface of a nil socket.
func asPacket(c *endpoint.PacketConn, err error) (transport.Conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// names is what package endpoint needs to know of names for datagram sockets. Those that listen do so as the ListenConfig says.
type names struct{ lc *ListenConfig }

func (names) Find(name string) (pipe.Place, error) { return system{}.Find(name, sock.Datagram) }

func (names) Dial(ctx context.Context, name string) (pipe.Pipe, error) {
	return system{}.Dial(ctx, name, "", sock.Datagram)
}

// Listen binds name, or one that it chooses if that is empty.
func (n names) Listen(name string) (pipe.Source, string, error) {
	return bindSource(n.lc, sock.Datagram, name)
}

// bindSource binds name, or one that it chooses.
func bindSource(lc *ListenConfig, t sock.Type, name string) (pipe.Source, string, error) {
	if name != "" {
		source, err := system{}.Listen(name, t, lc.pipeOptions())
		return source, name, err
	}
	return choose(func(name string) (pipe.Source, error) { return system{}.Listen(name, t, lc.pipeOptions()) })
}

func (lc *ListenConfig) pipeOptions() pipe.Options {
	return pipe.Options{Backlog: lc.Backlog, Mode: lc.Mode, SecurityDescriptor: lc.SecurityDescriptor}
}

// choose binds a free abstract name, which has the shape of those that Linux chooses (row 81).
func choose[B any](bind func(name string) (B, error)) (bound B, name string, err error) {
	for {
		name = fmt.Sprintf("@%05x", rand.N(1<<20))
		if bound, err = bind(name); !errors.Is(err, syscall.EADDRINUSE) {
			return bound, name, err
		}
	}
}

// autobind chooses names for sockets of type t.
func autobind(t sock.Type) endpoint.Autobind {
	return func() (string, io.Closer, error) {
		bound, name, err := choose(func(name string) (io.Closer, error) { return system{}.Bind(name, t) })
		return name, bound, err
	}
}

func pairPipe(network string) (a, b transport.Conn, err error) {
	t := socketTypes[network]
	x, y, err := system{}.Pair()
	if err != nil {
		return nil, nil, err
	}
	server, client, err := endpoint.Pair(x, y, endpoint.Config{Type: t, Autobind: autobind(t), World: &world})
	if err != nil {
		return nil, nil, err
	}
	return server, client, nil
}
