//go:build unix || windows

package kernel

import (
	"net"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/transport"
)

// Networks of package net that the kernel may have.
const (
	stream = "unix"
	packet = "unixpacket"
	dgram  = "unixgram"
)

// Transport is the kernel transport: a [transport.Transport].
type Transport struct{}

// A Conn is a socket that does not listen: a [transport.Conn].
type Conn struct {
	c       socket
	raw     syscall.RawConn // of c
	network string

	local, remote *net.UnixAddr // as [transport.Conn] wants them; package net does not look again later, either

	peer    cred.Credentials
	peerErr error // why peer is not known
}

var (
	_ transport.Transport = Transport{}
	_ transport.Conn      = (*Conn)(nil)
	_ transport.Listener  = (*Listener)(nil)
)

// A socket is a *net.UnixConn; on Windows a received one is a *winsock.Conn.
type socket interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	CloseWrite() error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

// newConn takes c over. The peer's credentials are asked for here, because some systems forget them
// when the peer closes its end.
func newConn(c socket) (*Conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, inner(err)
	}
	k := &Conn{c: c, raw: raw, local: unixAddr(c.LocalAddr()), remote: unixAddr(c.RemoteAddr())}
	if k.local == nil { // the system did not say
		k.local = &net.UnixAddr{Net: stream}
	}
	k.network = k.local.Net
	if k.remote == nil {
		k.peerErr = syscall.ENOTCONN
		return k, nil
	}
	if err := raw.Control(func(fd uintptr) { k.peer, k.peerErr = peerCredentials(fd) }); err != nil {
		k.peerErr = inner(err)
	}
	return k, nil
}

// unixAddr is nil for no address, and has no name where package net calls a socket without one "@".
func unixAddr(a net.Addr) *net.UnixAddr {
	u, _ := a.(*net.UnixAddr)
	if u != nil && u.Name == "@" {
		return &net.UnixAddr{Net: u.Net}
	}
	return u
}

// authorized asks authorize, if there is one, whether the peer is welcome. Not to know the peer is
// to refuse it.
func (c *Conn) authorized(authorize transport.Authorize) error {
	if authorize == nil {
		return nil
	}
	if c.peerErr != nil {
		return c.peerErr
	}
	return authorize(c.peer)
}

// Read reads bytes, or one message whose descriptors are closed.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.c.Read(b)
	return n, inner(err)
}

// Write writes all of b, or sends b as one message.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.c.Write(b)
	return n, inner(err)
}

// PeerCredentials are those at the time of connect and listen, or socketpair: see row 73.
// Connected datagram sockets have none.
func (c *Conn) PeerCredentials() (cred.Credentials, error) { return c.peer, c.peerErr }

// Packets has nothing to count.
func (c *Conn) Packets() (sent, received uint64, ok bool) { return 0, 0, false }

// Transport is the kernel transport.
func (c *Conn) Transport() transport.ID { return transport.Kernel }

// The rest is package net's. What it means is said in transport.Conn.

func (c *Conn) Close() error                          { return inner(c.c.Close()) }
func (c *Conn) CloseRead() error                      { return inner(c.c.CloseRead()) }
func (c *Conn) CloseWrite() error                     { return inner(c.c.CloseWrite()) }
func (c *Conn) SetDeadline(t time.Time) error         { return inner(c.c.SetDeadline(t)) }
func (c *Conn) SetReadDeadline(t time.Time) error     { return inner(c.c.SetReadDeadline(t)) }
func (c *Conn) SetWriteDeadline(t time.Time) error    { return inner(c.c.SetWriteDeadline(t)) }
func (c *Conn) SetReadBuffer(bytes int) error         { return inner(c.c.SetReadBuffer(bytes)) }
func (c *Conn) SetWriteBuffer(bytes int) error        { return inner(c.c.SetWriteBuffer(bytes)) }
func (c *Conn) LocalAddr() *net.UnixAddr              { return c.local }
func (c *Conn) RemoteAddr() *net.UnixAddr             { return c.remote }
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }
func (c *Conn) Socket() net.Conn                      { return c.c }

// isAbstract reports whether name is in Linux's abstract name space, as package net writes it.
func isAbstract(name string) bool { return len(name) > 0 && name[0] == '@' }

// inner is what package net wrapped: the root package wraps errors, once.
func inner(err error) error {
	if op, ok := err.(*net.OpError); ok {
		err = op.Err
	}
	return translate(err)
}
