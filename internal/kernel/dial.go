//go:build unix || windows

package kernel

import (
	"context"
	"errors"
	"net"
	"os"

	"afunix/internal/longpath"
	"afunix/internal/transport"
)

// Dial connects a socket to the one called name.
func (Transport) Dial(ctx context.Context, network string, laddr *net.UnixAddr, name string,
	authorize transport.Authorize) (transport.Conn, error) {
	if err := supported(network, name); err != nil {
		return nil, err
	}
	var d net.Dialer
	if laddr != nil {
		if err := supported(network, laddr.Name); err != nil {
			return nil, err
		}
		if err := longpath.Check(laddr.Name); err != nil {
			return nil, os.NewSyscallError("bind", err)
		}
		d.LocalAddr = laddr
	}
	short, release, err := way(network, name)
	if err != nil {
		if bad := bound(ctx, &d, network, name); bad != nil {
			return nil, bad
		}
		return nil, err
	}
	defer release()
	u, err := d.DialContext(ctx, network, short)
	if err != nil {
		return nil, full(ctx, network, name, inner(err))
	}
	c, err := newConn(u.(*net.UnixConn))
	if err != nil {
		u.Close()
		return nil, err
	}
	if short != name {
		c.remote = &net.UnixAddr{Name: name, Net: network}
	}
	if err := c.authorized(authorize); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// bound lets d bind its address, if it has one: that comes before anybody looks where a socket is
// to be connected. No address is as long as name, so that is how far d comes.
func bound(ctx context.Context, d *net.Dialer, network, name string) error {
	if d.LocalAddr == nil {
		return nil
	}
	_, err := d.DialContext(ctx, network, name)
	var failed *os.SyscallError
	if errors.As(err, &failed) && failed.Syscall == "bind" {
		return inner(err)
	}
	return nil
}

// way returns how connect(2) finds what name leads to. To a datagram socket there is no way by a
// longer path than an address has, since datagrams have the names of their senders with them.
func way(network, name string) (short string, release func(), err error) {
	if network == dgram {
		return name, func() {}, longpath.Check(name)
	}
	return longpath.ToDial(name)
}
