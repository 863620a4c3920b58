package afunix

import (
	"context"
	"net"
	"strings"
	"syscall"
	"time"

	"afunix/internal/lookalike"
	"afunix/internal/transport"
)

// Networks of package net that are AF_UNIX.
const (
	streamNetwork = "unix"
	packetNetwork = "unixpacket"
	dgramNetwork  = "unixgram"
)

// A Dialer has options for connecting. The zero value is what [Dial] uses.
type Dialer struct {
	LocalAddr *net.UnixAddr // bind before connecting
	Transport Transport     // 0 means the default of this system
	// Authorize, if not nil, may refuse the peer: the error of Authorize is then that of
	// DialContext, and no byte of user data has been read or sent. A peer that the system does not
	// name (that of a datagram socket) is refused without asking. If Authorize takes longer than
	// Timeout or the context, DialContext does not wait for its answer.
	Authorize func(peer Credentials) error
	// Timeout bounds how long DialContext takes; 0 leaves that to the context. If there is a bound
	// (Timeout, or a deadline of the context), DialContext waits that long for room in the
	// listener's backlog, as connect(2) does on Linux. Without a bound there is no such wait: the
	// error is EAGAIN at once, as in package net. (A context that can merely be cancelled is no
	// bound. A server that accepts nobody would hold its clients for ever.)
	//
	// Over the pipe transport DialContext waits until the other side has answered, which it does
	// before it accepts. If the other side says nothing for a minute, DialContext fails with
	// ETIMEDOUT. If the other process is out of descriptors, that counts as no room after some
	// seconds.
	Timeout time.Duration
}

// Dial connects to the address: a path or "@name"; on Windows also \\.\pipe\NAME (see
// [ParseAddress] for what users type). The network is "unix", "unixpacket" or "unixgram". On
// Windows a "unix" may also lead to a program that is not afunix: see [PlainTransport]. NULs at the
// end of a name belong to the name: a server in Node 20 or lua-posix fills its name up with NULs,
// and is dialled as "@name" with NULs up to 108 bytes. A path with a NUL in it is EINVAL, as in
// package os.
func Dial(network, address string) (*Conn, error) {
	return new(Dialer).DialContext(context.Background(), network, address)
}

// DialContext connects to the address, as long as ctx lasts.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (*Conn, error) {
	raddr := &net.UnixAddr{Name: address, Net: network}
	t, err := d.dialChecked(ctx, network, raddr)
	if err != nil {
		op := operation{op: "dial", network: network, source: d.LocalAddr, call: "connect"}
		if address != "" {
			op.addr = raddr
		}
		return nil, op.wrap(lookalike.Explain(address, err))
	}
	return newConn(t, network), nil
}

func (d *Dialer) dialChecked(ctx context.Context, network string, raddr *net.UnixAddr) (transport.Conn, error) {
	if err := checkAddr(raddr, streamNetwork, packetNetwork, dgramNetwork); err != nil {
		return nil, err
	}
	if d.LocalAddr != nil && d.LocalAddr.Net != network {
		return nil, &net.AddrError{Err: "mismatched local address type", Addr: d.LocalAddr.String()}
	}
	if err := checkName(d.LocalAddr); err != nil {
		return nil, err
	}
	if raddr.Name == "" && (network != dgramNetwork || d.LocalAddr == nil) {
		return nil, errMissingAddress
	}
	if d.Timeout != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return nil, err // whatever the address: so does package net
	}
	return d.whenThereIsRoom(ctx, func() (transport.Conn, error) {
		return d.Transport.carrier().Dial(ctx, network, d.LocalAddr, raddr.Name, d.authorizer(ctx))
	})
}

// checkNetwork reports a network that is not one of those known.
func checkNetwork(network string, known ...string) error {
	for _, k := range known {
		if network == k {
			return nil
		}
	}
	return net.UnknownNetworkError(network)
}

// checkAddr reports an address of a network that is not one of those known, or whose name is none.
func checkAddr(addr *net.UnixAddr, known ...string) error {
	if err := checkNetwork(addr.Net, known...); err != nil {
		return err
	}
	return checkName(addr)
}

// checkName refuses a path with a NUL in it, and the name of a pipe of Windows where there is none.
// The kernel ends a path at its NUL: it would be another file than the one that somebody may have
// looked at.
func checkName(addr *net.UnixAddr) error {
	if addr == nil || strings.HasPrefix(addr.Name, "@") || strings.HasPrefix(addr.Name, "\x00") {
		return nil
	}
	if strings.Contains(addr.Name, "\x00") {
		return syscall.EINVAL
	}
	return lookalike.Elsewhere(addr.Name)
}

// Pair returns two sockets that are connected to each other: socketpair(2).
func Pair(network string) (a, b *Conn, err error) { return DefaultTransport.Pair(network) }

// Pair returns two sockets of transport t that are connected to each other.
func (t Transport) Pair(network string) (a, b *Conn, err error) {
	op := operation{op: "pair", network: network, call: "socketpair"}
	if err := checkNetwork(network, streamNetwork, packetNetwork, dgramNetwork); err != nil {
		return nil, nil, op.wrap(err)
	}
	x, y, err := t.carrier().Pair(network)
	if err != nil {
		return nil, nil, op.wrap(err)
	}
	return newConn(x, network), newConn(y, network), nil
}
