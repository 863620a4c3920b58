//go:build unix || windows

package kernel

import (
	"context"
	"net"

	"afunix/internal/cred"
)

// Dial connects a socket to the address. laddr, if not nil, is what it is bound to before. authorize, if not nil, may refuse
// the peer; then nothing has been sent to it.
func Dial(ctx context.Context, network string, laddr *net.UnixAddr, address string,
	authorize func(cred.Credentials) error) (*Conn, error) {
	if err := supported(network, address); err != nil {
		return nil, err
	}
	var d net.Dialer
	if laddr != nil {
		if err := supported(network, laddr.Name); err != nil {
			return nil, err
		}
		d.LocalAddr = laddr
	}
	u, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, inner(err)
	}
	c, err := newConn(u.(*net.UnixConn))
	if err != nil {
		u.Close()
		return nil, err
	}
	if err := c.authorized(authorize); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
