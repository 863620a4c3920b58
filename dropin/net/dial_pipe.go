//go:build windows || (linux && afunix_pipe)

package net

import (
	"context"
	"errors"
	"net"
	"time"

	"afunix"
	"afunix/dropin/internal/ends"
)

// isUnix reports whether connections of the network are ours.
func isUnix(network string) bool {
	return network == "unix" || network == "unixgram" || network == "unixpacket"
}

// Dial connects to the address on the named network, as net.Dial.
func Dial(network, address string) (Conn, error) { return new(Dialer).Dial(network, address) }

// DialTimeout acts like Dial but takes a timeout.
func DialTimeout(network, address string, timeout time.Duration) (Conn, error) {
	return (&Dialer{Timeout: timeout}).Dial(network, address)
}

// DialUnix acts like Dial for Unix networks.
func DialUnix(network string, laddr, raddr *UnixAddr) (*UnixConn, error) {
	return dialUnix(context.Background(), &Dialer{}, network, laddr, raddr)
}

// Dialer is net.Dialer, which can be had of it by conversion, but dials Unix networks over the pipe
// transport. Those it refuses to dial with a Control function: there is no descriptor before they
// are connected.
type Dialer net.Dialer

// Dial connects to the address on the named network.
func (d *Dialer) Dial(network, address string) (Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to the address on the named network using the provided context.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (Conn, error) {
	if !isUnix(network) {
		return (*net.Dialer)(d).DialContext(ctx, network, address)
	}
	if address == "" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errMissingAddress}
	}
	laddr, err := d.unixLocal(network)
	if err != nil {
		return nil, err
	}
	c, err := dialUnix(ctx, d, network, laddr, &UnixAddr{Name: address, Net: network})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// unixLocal returns d.LocalAddr, if it has the right type.
func (d *Dialer) unixLocal(network string) (*UnixAddr, error) {
	if d.LocalAddr == nil {
		return nil, nil
	}
	laddr, ok := d.LocalAddr.(*UnixAddr)
	if !ok || laddr.Net != network {
		return nil, &net.OpError{Op: "dial", Net: network,
			Err: &net.AddrError{Err: "mismatched local address type", Addr: d.LocalAddr.String()}}
	}
	return laddr, nil
}

// DialUnix dials a Unix address using the provided context.
func (d *Dialer) DialUnix(ctx context.Context, network string, laddr, raddr *UnixAddr) (*UnixConn, error) {
	return dialUnix(ctx, d, network, laddr, raddr)
}

// MultipathTCP reports whether MPTCP will be used.
func (d *Dialer) MultipathTCP() bool { return (*net.Dialer)(d).MultipathTCP() }

// SetMultipathTCP directs the Dialer to use, or not use, MPTCP, if supported by the operating
// system.
func (d *Dialer) SetMultipathTCP(use bool) { (*net.Dialer)(d).SetMultipathTCP(use) }

func dialUnix(ctx context.Context, d *Dialer, network string, laddr, raddr *UnixAddr) (*UnixConn, error) {
	failed := func(err error) (*UnixConn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Source: opAddr(laddr), Addr: opAddr(raddr), Err: plain(err)}
	}
	if !isUnix(network) {
		return failed(net.UnknownNetworkError(network))
	}
	if d.Control != nil || d.ControlContext != nil {
		return failed(errors.ErrUnsupported)
	}
	ctx, cancel := d.limit(ctx)
	defer cancel()
	pipe := afunix.Dialer{Transport: dialTransport, LocalAddr: named(laddr)}
	address := ""
	if raddr != nil {
		address = ends.Name(raddr.Name)
	}
	c, err := pipe.DialContext(boundless{ctx}, network, address)
	if err != nil {
		return failed(err)
	}
	return newUnixConn(c, address != ""), nil
}

// A boundless context does not say when it will end. Package afunix would wait so long for room in
// a backlog, and package net does not.
type boundless struct{ context.Context }

// Deadline returns that there is none.
func (boundless) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// named is nil for an address without a name, which package net does not bind.
func named(a *UnixAddr) *UnixAddr {
	if a == nil || a.Name == "" {
		return nil
	}
	return &UnixAddr{Name: ends.Name(a.Name), Net: a.Net}
}

// limit bounds a context by d's ways of saying how long it may take.
func (d *Dialer) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline := d.Deadline
	if d.Timeout != 0 {
		if end := time.Now().Add(d.Timeout); deadline.IsZero() || end.Before(deadline) {
			deadline = end
		}
	}
	cancels := []context.CancelFunc{}
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		cancels = append(cancels, cancel)
	}
	if old := d.Cancel; old != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		cancels = append(cancels, cancel)
		go func() {
			select {
			case <-old:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() {
		for _, cancel := range cancels {
			cancel()
		}
	}
}
