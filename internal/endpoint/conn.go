package endpoint

import (
	"net"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/locks"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// A Conn is one end of a connection over a message pipe. It satisfies transport.Conn.
type Conn struct {
	session
	reading locks.Mutex[locks.Reading] // one Read at a time
}

// newConn returns a connection whose hello is still to come, and which takes up to rights
// descriptors ahead of its reader.
func newConn(p pipe.Pipe, cfg Config, server bool, rights int) *Conn {
	c := new(Conn)
	c.setUp(c, p, cfg, server, rights)
	if cfg.Type == sock.Datagram {
		c.out.left = syscall.ECONNREFUSED // it is an end of a pair of datagram sockets
	}
	if cfg.Local == "" && cfg.Type != sock.Stream {
		c.out.autobind = cfg.Autobind
	}
	return c
}

// PeerCredentials returns the process that was at the other end when the connection was made, as
// the system knows it; after Close, too.
func (c *Conn) PeerCredentials() (cred.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer.opener, nil
}

// Packets returns how many packets this end has sent and received since the handshake.
func (c *Conn) Packets() (sent, received uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pen.packets, c.turn.packets, true
}

// Transport is the pipe transport.
func (c *Conn) Transport() transport.ID { return transport.Pipe }

// LocalAddr returns the name of this end.
func (c *session) LocalAddr() *net.UnixAddr { return c.local }

// RemoteAddr returns the name of the other end.
func (c *session) RemoteAddr() *net.UnixAddr { return c.remote }

// SyscallConn gives access to this end of the message pipe. Whoever reads or writes it breaks the
// connection.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.pipe.SyscallConn(), nil }

// Socket is nil: package net knows nothing of packets.
func (c *Conn) Socket() net.Conn { return nil }

// Anybody may connect to a socket that listens, unless Config.Authorize is against it.
func (c *Conn) permits(cred.Credentials) wire.Status { return wire.OK }

// A connection's packets have no name: see renamedLocked.
func (c *Conn) headedLocked(name []byte, _ uint64, _ uint8) error {
	if len(name) > 0 {
		return errUnexpected
	}
	return nil
}

func (c *Conn) arriveLocked(s sock.Segment, ends []move.End) error {
	if len(ends) > 0 {
		c.mu.Unlock()
		c.moves.came(ends) // before anybody can read them, and send them on
		c.mu.Lock()
	}
	return c.queueLocked(s)
}

func (c *Conn) brings() bool { return true }

func (c *Conn) receipt() bool { return true }

// renamedLocked notes what the peer has chosen to be called. Accept shows it, if it comes before
// that, and so does whoever takes an end that has moved here.
func (c *Conn) renamedLocked(name []byte) {
	if c.peer.name == string(name) {
		return
	}
	c.peer.name = string(name)
	if c.custody != withUser {
		c.remote = address(c.typ, c.peer.name)
	}
}

// What a connection sends is not waited for, nor refused.
func (c *Conn) cancelled(uint64) error                { return errUnexpected }
func (c *Conn) refusedLocked(uint64, sock.Fate) error { return errUnexpected }

func (c *Conn) vouchedLocked() bool { return c.pass }

func (c *Conn) lost()                    {}
func (c *Conn) look() (s sock.LinkState) { return s }
func (c *Conn) restore(sock.LinkState)   {}
func (c *Conn) revocable() bool          { return false }
func (c *Conn) socket() transport.Conn   { return c }

// Taken takes in what the peer has said before: it may have chosen a name.
func (c *Conn) Taken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn.catchUpLocked()
	c.custody = withUser
}
