package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"afunix"
	"afunix/internal/errno"
	"afunix/internal/sockfile"
)

// An offer is a socket that another process has open: the predecessor, or the service manager.
type offer struct {
	key    key
	passed *passed       // it is the service manager's, and this is a duplicate
	file   socketFile    // what it was when the socket was made
	addr   net.Addr      // of those that move
	moves  bool          // the descriptor comes when the predecessor has yielded
	rights afunix.Rights // the descriptor, if it does not move
}

// Listen returns the listener with this name, network and address. It is the predecessor's, if the
// predecessor has one with exactly these; else one of the service manager's; else a new one, of
// Config.Listen. The listener accepts nobody until Ready has succeeded, and is offered to the
// successor until it is closed.
//
// The service manager's listeners are those that it has passed to this process, or to a process
// before it that has handed them on. A TCP listener is chosen among the TCP listeners only, and so
// on. The first choice is a listener with the name (systemd's FileDescriptorName=) at the address;
// the second is the only listener with the name, wherever it listens; the third is a listener at
// the address that has another name or none. An address without a host, or with a host that stands
// for all, means a listener at 0.0.0.0 or [::]. The name "" means a listener without a name.
// Listeners that nobody asks for are kept, for later calls and for successors.
//
// If the socket file of a predecessor's or the service manager's listener is gone, or is another
// socket's, nobody can reach that listener any more. Then a new listener is made at the address,
// and Config.Failed is told ([ErrUnreachable]). If another process listens there by now, Listen
// fails. The predecessor goes on with the old listener, in which there may be clients that came
// before.
//
// What a listener knows only in its own process does not go along: a successor's listener has no
// [afunix.ListenConfig.Authorize].
func (u *Upgrader) Listen(ctx context.Context, name, network, address string) (*Listener, error) {
	l := &Listener{key: key{name, network, address}, u: u}
	if err := u.obtain(ctx, l); err != nil {
		return nil, fmt.Errorf("upgrade: listen: %w", err)
	}
	return l, nil
}

// ListenPacket is Listen for datagram sockets: of the networks "udp" and "unixgram", for example.
func (u *Upgrader) ListenPacket(ctx context.Context, name, network, address string) (*PacketConn, error) {
	c := &PacketConn{key: key{name, network, address}, u: u}
	if err := u.obtain(ctx, c); err != nil {
		return nil, fmt.Errorf("upgrade: listen: %w", err)
	}
	return c, nil
}

// obtain makes s of what is offered, or of nothing, and adds it to the sockets.
func (u *Upgrader) obtain(ctx context.Context, s socket) error {
	lost, err := u.claimAndAdd(ctx, s)
	if err == nil && lost != nil {
		u.failed(fmt.Errorf("upgrade: %v: %w; it is made anew", s.id(), lost))
	}
	return err
}

// claimAndAdd is obtain; lost says why s is made anew, if what is offered cannot be reached.
func (u *Upgrader) claimAndAdd(ctx context.Context, s socket) (lost, err error) {
	u.readying.Lock()
	defer u.readying.Unlock()
	if u.isOpen(s.id()) {
		return nil, fmt.Errorf("%v: %w", s.id(), errno.EADDRINUSE)
	}
	o, err := u.claim(ctx, s.id())
	if err != nil {
		return nil, err
	}
	if lost, err = u.fill(ctx, s, o); err != nil {
		u.putBack(o)
		return nil, err
	}
	if err := u.add(s); err != nil {
		return nil, errors.Join(err, s.(io.Closer).Close())
	}
	return lost, nil
}

// claim takes out what is offered as k, if anything is.
func (u *Upgrader) claim(ctx context.Context, k key) (*offer, error) {
	if u.predecessor != nil {
		if o := take(&u.predecessor.offers, func(o *offer) bool { return o.key == k }); o != nil {
			return o, nil
		}
	}
	return u.claimPassed(ctx, k)
}

// putBack undoes claim: o is there for the next call that asks.
func (u *Upgrader) putBack(o *offer) {
	switch {
	case o == nil:
	case o.passed != nil:
		o.rights.Close()
	default:
		u.predecessor.offers = append(u.predecessor.offers, o)
	}
}

// fill makes s of o, or of nothing; or anew where o was, if that is lost: clients cannot find it.
func (u *Upgrader) fill(ctx context.Context, s socket, o *offer) (lost, err error) {
	if o == nil {
		return nil, s.create(ctx, s.id().Address)
	}
	if lost := o.file.check(); lost != nil {
		return lost, u.renew(ctx, s, o, lost)
	}
	if err := s.adopt(o); err != nil {
		return nil, err
	}
	if o.passed != nil {
		u.use(o.passed, s)
	}
	return nil, nil
}

// renew makes s anew where o was. The predecessor keeps its own.
func (u *Upgrader) renew(ctx context.Context, s socket, o *offer, lost error) error {
	if err := s.create(ctx, o.address(s.id())); err != nil {
		return fmt.Errorf("%w; and it cannot be made anew: %w", lost, err)
	}
	s.source().renewed = true
	o.rights.Close()
	return nil
}

// address returns where o should be: where it was asked for, or where the service manager has put
// it.
func (o *offer) address(k key) string {
	if o.passed != nil {
		return o.passed.addr
	}
	return k.Address
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
	return overStale(ctx, network, address, func() (net.Listener, error) { return listen(ctx, network, address) })
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
	return overStale(ctx, network, address, func() (net.PacketConn, error) { return listen(ctx, network, address) })
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

// overStale lets listen make a socket where a dead process may have left its socket file: nobody
// else knows when the file may be removed, since a predecessor may still be using it.
func overStale[S any](ctx context.Context, network, address string, listen func() (S, error)) (S, error) {
	if !hasFile(network, address) {
		return listen()
	}
	return sockfile.OverStale(ctx, address, listen)
}

// hasFile reports whether a socket with the address has a file.
func hasFile(network, address string) bool {
	return isUnix(network) && address != "" && !strings.HasPrefix(address, "@") && !isPipe(address)
}
