package endpoint

import (
	"io"
	"math"
	"net"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// A Conn is one end of a connection over a message pipe. It satisfies transport.Conn.
type Conn struct {
	session
	reading locks.Mutex[locks.Reading] // one Read at a time
}

// newConn returns a connection whose hello is still to come, and which takes up to rights descriptors ahead of its reader.
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

// Read reads bytes, and closes descriptors that come with them. As in package net, reading nothing takes nothing.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, c.readable()
	}
	r, err := c.receive(b)
	if r.Rights != nil {
		r.Rights.Discard() // as read(2) does (row 18)
	}
	return r.N, err
}

// readable says why a read would fail whatever it asked for. Package net does not look at deadlines here.
func (c *Conn) readable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return nil
}

// readStoppedLocked says why no read can go on.
func (c *Conn) readStoppedLocked() error {
	return c.out.errorOf(sock.Stopped(c.closed, c.in.deadline.expired))
}

// Recv receives one message: see transport.Conn.
func (c *Conn) Recv(b []byte, peek bool) (transport.Message, error) {
	var r sock.Result
	var err error
	if peek {
		r, err = c.peek(b)
	} else {
		r, err = c.receive(b)
	}
	m := transport.Message{N: r.N, Truncated: r.Truncated}
	if r.Rights != nil {
		m.Rights = r.Rights.(*descriptor.Set)
	}
	if err == io.EOF && len(b) == 0 { // recvmsg(2) cannot tell it from nothing, and does not
		return c.nothing(), nil
	}
	if err != nil {
		return m, err
	}
	m.From = c.sender()
	m.Credentials = c.credentials(r.Creds)
	if r.Lost {
		err = descriptor.ErrRightsTruncated
	}
	return m, err
}

// sender returns what the other end of a pair of datagram sockets is called now, if it has a name: recvmsg(2) names nobody else,
// and looks when it is called.
func (c *Conn) sender() *net.UnixAddr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.typ != sock.Datagram || c.peer.name == "" {
		return nil
	}
	return address(c.typ, c.peer.name)
}

// nothing is a message that is none.
func (c *Conn) nothing() (m transport.Message) {
	if c.typ == sock.Stream && c.credentials(0) != nil {
		m.Credentials = new(cred.Credentials)
	}
	return m
}

// receive waits for something to read and takes it.
func (c *Conn) receive(b []byte) (sock.Result, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.lookLocked(b, len(b)); err != nil {
		c.in.box.Settle(b)
		c.turn.leaveLocked()
		return sock.Result{}, err
	}
	r := c.in.box.Read(b)
	c.in.box.Settle(b[r.N:])
	c.turn.leaveLocked()
	c.pen.creditWhatIsDueLocked()
	return r, nil
}

// peek waits for something to read and copies it.
func (c *Conn) peek(b []byte) (sock.Result, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.turn.leaveLocked()
	if err := c.lookLocked(nil, math.MaxInt); err != nil { // it may show descriptors that lie behind b: see Inbox.Peek
		return sock.Result{}, err
	}
	return duplicated(c.in.box.Peek(b)), nil
}

// lookLocked waits until there is something to read. If there was before, it takes in what else is
// in the pipe: for a stream up to n bytes, and for records all of it, because a reset comes before
// them. It may place bytes in into. The caller holds reading, too.
func (c *Conn) lookLocked(into []byte, n int) error {
	looked, fresh := false, false
	for ; ; fresh = c.turn.awaitLocked(into) {
		for c.stage == paused && c.readStoppedLocked() == nil { // what comes of it?
			c.in.box.Settle(into)
			c.turn.leaveLocked() // it may have had the pipe, and whoever moves the end waits for what that brings
			c.in.cond.Wait()
			fresh = false
		}
		if err := c.readStoppedLocked(); err != nil {
			return err
		}
		if c.in.box.Ready() {
			switch {
			case fresh:
			case c.typ == sock.Datagram && c.peer.naming:
				c.turn.takeInLocked()
			default:
				c.turn.absorbLocked(into, n)
			}
			if c.closed { // meanwhile, and the descriptors of what came have been discarded: see adopt
				return net.ErrClosed
			}
			if c.in.box.ResetFirst() {
				return c.in.end()
			}
			return nil
		}
		if c.in.box.Ending() && !looked { // behind the end there may be a reset
			looked = true
			c.turn.takeInLocked()
			if c.in.box.Ready() {
				return nil
			}
		}
		if err := c.in.end(); err != nil && c.typ != sock.Datagram { // to a datagram socket its peer's end is no news (row 120)
			return err
		}
	}
}

// duplicated replaces the queue's descriptors in r by duplicates (row 33), or by the news that there is no room for them.
func duplicated(r sock.Result) sock.Result {
	if r.Rights == nil {
		return r
	}
	set, err := r.Rights.(*descriptor.Set).Dup()
	if err != nil {
		r.Rights, r.Lost = nil, true
		return r
	}
	r.Rights = set
	return r
}

// end translates how reading has ended; nil if it has not.
func (in *inbox) end() error {
	switch in.box.End() {
	case sock.EOF:
		return io.EOF
	case sock.ConnReset:
		return syscall.ECONNRESET
	case sock.Failed:
		return in.failure
	}
	return nil
}

// credentials returns those that a message carries, if anybody wants them: of the process that had the other end when it was written.
func (c *Conn) credentials(writer uint32) *cred.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pass {
		return nil
	}
	return c.peer.writer(writer)
}

// SetPassCredentials makes messages carry their sender's credentials: those that are sent once it has returned.
func (c *Conn) SetPassCredentials(on bool) error {
	c.pen.lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.pass = on
	c.in.box.TellApart(on)
	c.tellLocked(sock.DebtOptions)
	return nil
}

// PeerCredentials returns the process that was at the other end when the connection was made, as the system knows it; after Close,
// too.
func (c *Conn) PeerCredentials() (cred.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer.opener, nil
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when reads give up.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.in.deadline.set(t)
	return nil
}

// SetWriteDeadline sets when writes give up.
func (c *session) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.out.deadline.set(t)
	return nil
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

// SyscallConn gives access to this end of the message pipe. Whoever reads or writes it breaks the connection.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.pipe.SyscallConn(), nil }
