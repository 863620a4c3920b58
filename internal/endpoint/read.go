package endpoint

import (
	"io"
	"math"
	"net"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// Read reads bytes, and closes descriptors that come with them. As in package net, reading nothing
// takes nothing.
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

// readable says why a read would fail whatever it asked for. Package net does not look at deadlines
// here.
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

// receive waits for something to read and takes it.
func (c *Conn) receive(b []byte) (sock.Result, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.lookLocked(b, len(b)); err != nil {
		c.in.box.Unplace(b)
		c.turn.leaveLocked()
		return sock.Result{}, err
	}
	r := c.in.box.Read(b)
	c.in.box.Unplace(b[r.N:])
	c.turn.leaveLocked()
	c.pen.creditWhatIsDueLocked()
	return r, nil
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

// nothing is a message that is none.
func (c *Conn) nothing() (m transport.Message) {
	if c.typ == sock.Stream && c.credentials(0) != nil {
		m.Credentials = new(cred.Credentials)
	}
	return m
}

// sender returns what the other end of a pair of datagram sockets is called now, if it has a name:
// recvmsg(2) names nobody else, and looks when it is called.
func (c *Conn) sender() *net.UnixAddr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.typ != sock.Datagram || c.peer.name == "" {
		return nil
	}
	return address(c.typ, c.peer.name)
}

// peek waits for something to read and copies it.
func (c *Conn) peek(b []byte) (sock.Result, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.turn.leaveLocked()
	// It may show descriptors that lie behind b: see Inbox.Peek.
	if err := c.lookLocked(nil, math.MaxInt); err != nil {
		return sock.Result{}, err
	}
	return duplicated(c.in.box.Peek(b)), nil
}

// lookLocked waits until there is something to read. If there was before, it takes in what else is
// in the pipe: for a stream up to n bytes, and for records all of it, because a reset comes before
// them. It may place bytes in into. It is the one Read's.
func (c *Conn) lookLocked(into []byte, n int) error {
	defer c.turn.lookedLocked()
	looked, fresh := false, false
	for ; ; fresh = c.turn.awaitLocked(into) {
		if c.standAsideLocked(into) {
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
			return c.preemptedLocked()
		}
		if c.in.box.Ending() && !looked { // behind the end there may be a reset
			looked = true
			c.turn.takeInLocked()
			if c.in.box.Ready() {
				return c.preemptedLocked()
			}
		}
		// To a datagram socket its peer's end is no news (row 120).
		if err := c.in.ending(); err != nil && c.typ != sock.Datagram {
			return err
		}
	}
}

// preemptedLocked returns what a read says in place of what is in the queue.
func (c *Conn) preemptedLocked() error {
	if c.closed { // meanwhile, and the descriptors of what came have been discarded: see adopt
		return net.ErrClosed
	}
	if c.in.box.ResetFirst() {
		return c.in.ending()
	}
	return nil
}

// standAsideLocked waits as long as this end is being moved, and reports whether the end was.
// Nothing that the one Read has seen before counts any more then.
func (c *Conn) standAsideLocked(into []byte) (moved bool) {
	for c.stage == paused && c.readStoppedLocked() == nil { // what comes of it?
		c.in.box.Unplace(into)
		c.turn.lookedLocked()
		c.turn.leaveLocked() // this Read may have had the pipe, for which the mover waits
		c.in.cond.Wait()
		moved = true
	}
	c.turn.looksLocked()
	return moved
}

// duplicated replaces the queue's descriptors in r by duplicates (row 33), or by the news that
// there is no room for them.
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

// credentials returns those that a message carries, if anybody wants them: of the process that had
// the other end when it was written.
func (c *Conn) credentials(writer uint32) *cred.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pass {
		return nil
	}
	return c.peer.writer(writer)
}

// queueLocked gives a segment to the inbox. If nobody is there to read it at once, it moves into a
// buffer of its size.
func (c *Conn) queueLocked(s sock.Segment) error {
	if c.turn.oneRead != waiting {
		fit(&s)
	}
	if c.custody == embryo {
		s.Creds = c.peer.now()
	}
	wake, err := c.in.box.Put(s)
	if wake {
		c.turn.servedReadLocked()
	}
	return err
}
