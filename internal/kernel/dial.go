//go:build unix || windows

package kernel

import (
	"context"
	"net"

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
			return nil, err
		}
		d.LocalAddr = laddr
	}
	short, release, err := longpath.ToDial(name)
	if err != nil {
		if laddr != nil { // a socket is bound before anybody looks where it is to be connected
			d.DialContext(ctx, network, name) // fails: no address is as long
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
