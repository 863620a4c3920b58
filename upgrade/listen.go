package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"afunix"
	"afunix/internal/errno"
)

// An offer is a socket that another process has open: the predecessor, or the service manager.
type offer struct {
	key    key
	addr   net.Addr      // of those that move
	moves  bool          // the descriptor comes when the predecessor has yielded
	kept   bool          // the service manager has it, too
	rights afunix.Rights // the descriptor, if it does not move
}

// Listen returns the listener with this name, network and address: the predecessor's, if that has one with exactly these; else the
// service manager's with this name (systemd's FileDescriptorName=); else a new one, of Config.Listen. It accepts nobody until Ready has
// succeeded, and is offered to the successor until it is closed.
//
// What a listener knows only in its own process does not go along: that of a successor has no afunix.ListenConfig.Authorize.
func (u *Upgrader) Listen(ctx context.Context, name, network, address string) (*Listener, error) {
	k := key{name, network, address}
	l := &Listener{key: k, forget: u.forget}
	l.listen = func() (net.Listener, error) { return u.cfg.listen(u.stopped, network, l.addr.String()) }
	err := u.obtain(k, l, func(o *offer) (err error) {
		var inner net.Listener
		switch {
		case o == nil:
			inner, err = u.cfg.listen(ctx, network, address)
		case o.moves:
			l.addr = o.addr
		default:
			inner, err = o.rights.Listener(0)
		}
		if err != nil {
			return err
		}
		if inner != nil {
			l.addr = inner.Addr()
		}
		l.kept = o != nil && o.kept
		l.gate = newGate(inner)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("upgrade: listen: %w", err)
	}
	return l, nil
}

// ListenPacket is Listen for datagram sockets: of the networks "udp" and "unixgram", for example.
func (u *Upgrader) ListenPacket(ctx context.Context, name, network, address string) (*PacketConn, error) {
	k := key{name, network, address}
	c := &PacketConn{key: k, forget: u.forget}
	c.listen = func() (net.PacketConn, error) { return u.cfg.listenPacket(u.stopped, network, c.addr.String()) }
	err := u.obtain(k, c, func(o *offer) (err error) {
		var inner net.PacketConn
		switch {
		case o == nil:
			inner, err = u.cfg.listenPacket(ctx, network, address)
		case o.moves:
			c.addr = o.addr
		default:
			inner, err = o.rights.PacketConn(0)
		}
		if err != nil {
			return err
		}
		if inner != nil {
			c.addr = inner.LocalAddr()
		}
		c.gate = newGate(inner)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("upgrade: listen: %w", err)
	}
	return c, nil
}

// obtain lets fill make s of what is offered as k, or of nothing, and adds it to the sockets.
func (u *Upgrader) obtain(k key, s socket, fill func(*offer) error) error {
	u.readying.Lock()
	defer u.readying.Unlock()
	if u.isOpen(k) {
		return fmt.Errorf("%v: %w", k, errno.EADDRINUSE)
	}
	o := u.claim(k)
	if o != nil {
		defer o.rights.Close()
	}
	if err := fill(o); err != nil {
		return err
	}
	if err := u.add(s); err != nil {
		return errors.Join(err, s.(io.Closer).Close())
	}
	return nil
}

// claim takes out what is offered as k, if anything is.
func (u *Upgrader) claim(k key) *offer {
	if u.predecessor != nil {
		if o := take(&u.predecessor.offers, func(o *offer) bool { return o.key == k }); o != nil {
			return o
		}
	}
	return take(&u.activated, func(o *offer) bool { return o.key.Name == k.Name })
}

// take takes the first that matches out of the list.
func take(list *[]*offer, matches func(*offer) bool) *offer {
	for i, o := range *list {
		if matches(o) {
			*list = append((*list)[:i], (*list)[i+1:]...)
			return o
		}
	}
	return nil
}

// refuseAll closes what nobody has asked for.
func refuseAll(list *[]*offer) {
	for _, o := range *list {
		o.rights.Close()
	}
	*list = nil
}

func (cfg *Config) listen(ctx context.Context, network, address string) (net.Listener, error) {
	listen := cfg.Listen
	switch {
	case listen != nil:
	case isUnix(network):
		listen = listenUnix
	default:
		listen = new(net.ListenConfig).Listen
	}
	return overStale(ctx, cfg, network, address, func() (net.Listener, error) { return listen(ctx, network, address) })
}

func (cfg *Config) listenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	listen := cfg.ListenPacket
	switch {
	case listen != nil:
	case isUnix(network):
		listen = listenUnixPacket
	default:
		listen = new(net.ListenConfig).ListenPacket
	}
	return overStale(ctx, cfg, network, address, func() (net.PacketConn, error) { return listen(ctx, network, address) })
}

func listenUnix(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := new(afunix.ListenConfig).Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func listenUnixPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	c, err := new(afunix.ListenConfig).ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func isUnix(network string) bool { return strings.HasPrefix(network, "unix") }

// overStale lets listen make a socket where a dead process may have left its socket file: nobody else knows when it may be removed,
// since a predecessor may still be using it. Two processes that do so at the same time do it one after the other, or the second would
// remove what the first has just made.
func overStale[S any](ctx context.Context, cfg *Config, network, address string, listen func() (S, error)) (s S, err error) {
	if !hasFile(network, address) {
		return listen()
	}
	err = cfg.exclusively(ctx, func() error {
		s, err = listen()
		if !errors.Is(err, errno.EADDRINUSE) || !isSocketFile(address) {
			return err
		}
		c, dialErr := new(afunix.Dialer).DialContext(ctx, network, address)
		if dialErr == nil {
			c.Close()
		}
		if !errors.Is(dialErr, errno.ECONNREFUSED) {
			return err
		}
		if err := os.Remove(address); err != nil {
			return err
		}
		s, err = listen()
		return err
	})
	return s, err
}

// hasFile reports whether a socket with the address has a file.
func hasFile(network, address string) bool {
	return isUnix(network) && address != "" && !strings.HasPrefix(address, "@")
}
