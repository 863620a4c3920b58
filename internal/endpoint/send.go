package endpoint

import (
	"errors"
	"net"
	"os"
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Write sends bytes on a stream, and else one record.
func (c *Conn) Write(b []byte) (int, error) {
	if len(b) == 0 && c.typ == sock.Stream {
		return 0, c.writable()
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.pieces(b, wire.MaxPayload, nil)
	return n, c.blame(len(b), nil, err)
}

// blame returns what the kernel would say in the place of err, which stopped a message of n bytes
// with files: the kernel may have found out something else before. That the peer is gone may be in
// the pipe still, which makes no difference to a stream.
func (c *Conn) blame(n int, files []transport.File, err error) error {
	if err == nil || err == net.ErrClosed || err == os.ErrDeadlineExceeded {
		return err
	}
	if c.typ != sock.Stream {
		c.catchUp()
	}
	if c.typ == sock.Seqpacket {
		if reset := c.resetFirst(); reset != nil {
			return reset
		}
	}
	switch err {
	case syscall.EPIPE, syscall.ECONNREFUSED, syscall.ENOTCONN:
		return c.blameState(n, files)
	}
	return err
}

// resetFirst returns the reset of a connection of records, of which whoever comes first is told,
// reading or writing.
func (c *Conn) resetFirst() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.box.ResetFirst() {
		return c.in.end()
	}
	return nil
}

// blameState is blame for a socket that cannot send.
func (c *Conn) blameState(n int, files []transport.File) error {
	bad := badFile(c.table, files)
	c.mu.Lock()
	o := c.out.box.Obstacle()
	if o == sock.NoObstacle {
		o = c.out.box.Loss() // duplicating has found it out, which is quicker than the pipe
	}
	o = min(o, sock.Length(c.typ, n, c.out.box.Buffer()))
	c.mu.Unlock()
	switch {
	case bad != nil && sock.BadFile < o:
		return bad
	case o == sock.Left:
		return c.part()
	}
	return c.errorOf(o)
}

// part is told to a sender who finds the peer gone. A datagram socket then discards what it has not
// read.
func (c *Conn) part() error {
	if !c.pair() {
		return c.errorOf(sock.Left)
	}
	c.mu.Lock()
	defer c.unlock()
	o := c.out.box.Part()
	if o == sock.Left {
		for c.in.paused { // what is in the queue is being sent
			c.in.cond.Wait()
		}
		c.in.box.Disconnect()
	}
	return c.errorOf(o)
}

// pair reports whether c is an end of a pair of datagram sockets.
func (c *Conn) pair() bool { return c.typ == sock.Datagram && c.link == nil }

// errorOf returns the error that o is to a sender.
func (c *Conn) errorOf(o sock.Obstacle) error { return errorOf(o, c.pair()) }

// writable says why a write would fail whatever it sent. That the peer has closed may be in the pipe still.
func (c *Conn) writable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUpLocked()
	return c.writeStoppedLocked()
}

// writeStoppedLocked says why no write can go on.
func (c *Conn) writeStoppedLocked() error {
	return c.errorOf(min(sock.Stopped(c.closed, c.out.deadline.expired), c.out.box.Obstacle()))
}

// gone says that the peer is gone.
func (o *outbox) gone() error { return errorOf(o.box.Loss(), o.datagram) }

// Send sends b and files as one message: see transport.Conn.
func (c *Conn) Send(b []byte, files []transport.File, to *net.UnixAddr) (int, error) {
	if to != nil {
		return 0, syscall.EISCONN // row 147
	}
	if len(files) == 0 {
		return c.Write(b)
	}
	if len(b) == 0 && c.typ == sock.Stream {
		return 0, syscall.EINVAL
	}
	for weight := 0; ; {
		m, n, err := c.attempt(b, files, weight)
		switch {
		case err == errCycle:
			return len(b), nil
		case err == errShifted: // to whoever has the other end now
			continue
		case err == errCrowded:
			weight = m.lacks
			continue
		case m == nil || m.transfer == nil:
			return 0, c.blame(len(b), files, err)
		}
		n, err = c.acknowledged(m, n, err)
		m.arrived()
		if err == syscall.ECONNREFUSED {
			err = c.part()
		}
		return n, err
	}
}

// badFile returns the error of the first file that is not open.
func badFile(t descriptor.Table, files []transport.File) error {
	for i, f := range files {
		if f.End != nil {
			continue
		}
		if _, err := t.Kind(f.Value); err != nil {
			return &descriptor.IndexError{Index: i, Err: err}
		}
	}
	return nil
}

// sendRoute returns how descriptors travel to the peer. It waits until the peer is ready, and until
// there is room for so many, if any; EPERM if nobody can duplicate, EAGAIN if nobody has taken the
// other end for long.
func (c *Conn) sendRoute(weight int) (rights.Route, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := wait{c: c}
	defer w.endLocked()
	late := absence{c: c}
	defer late.end()
	for {
		if err := c.writeStoppedLocked(); err != nil {
			return rights.Route{}, err
		}
		if c.out.shift.Ready() && (weight == 0 || c.out.box.Room(weight)) {
			break
		}
		if late.passed() {
			return rights.Route{}, syscall.EAGAIN
		}
		w.moreLocked()
	}
	if c.out.sendRoute.Way == rights.Nobody {
		return rights.Route{}, syscall.EPERM
	}
	return c.out.sendRoute, nil
}

// attempt gathers files, and writes b with them, once there is room for that weight; without a message, it has not got so far. If this end is
// among the files, it waits for whoever is writing first: while the end is being moved, he would not go on.
func (c *Conn) attempt(b []byte, files []transport.File, weight int) (m *message, n int, err error) {
	itself := slices.ContainsFunc(files, func(f transport.File) bool { return f.End == any(c) })
	if itself {
		c.writing.Lock()
		defer c.writing.Unlock()
	}
	if m, err = c.gather(files, weight); err != nil {
		return nil, 0, err
	}
	if !itself {
		c.writing.Lock()
		defer c.writing.Unlock()
	}
	n, err = c.sendWith(b, m)
	return m, n, err
}

// sendWith writes b with the descriptors of m beside its first byte. If nothing has been written m has no transfer, and has been taken back.
// The caller holds writing.
func (c *Conn) sendWith(b []byte, m *message) (n int, err error) {
	if err = c.load(m); err == nil {
		n, err = c.pieces(b, wire.MaxPayload-m.MaxLen(), m)
	}
	if m.transfer == nil {
		c.undo(m, err)
		err = c.bereaved(err)
	}
	return n, err
}

// bereaved translates that the peer's process is dead, if duplicating into it has found that out before its end of the pipe was read.
func (c *Conn) bereaved(err error) error {
	if !errors.Is(err, syscall.ESRCH) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.gone()
}

// acknowledged waits until the peer has adopted the descriptors of a message of which n bytes have been written; err is what
// stopped the rest, if anything did.
func (c *Conn) acknowledged(m *message, n int, err error) (int, error) {
	t := m.transfer
	c.mu.Lock()
	defer c.mu.Unlock()
	w := wait{c: c}
	defer w.endLocked()
	for t.Fate == sock.Written {
		stop := err
		switch {
		case c.closed:
			stop = net.ErrClosed
		case c.out.deadline.expired:
			stop = os.ErrDeadlineExceeded
		}
		if stop != nil {
			t.Fate = sock.Unknown // the copies stay parked
			return n, stop
		}
		w.moreLocked()
	}
	c.settledLocked(m)
	switch {
	case t.Fate == sock.Severed:
		return 0, c.out.gone()
	case t.Fate == sock.Lost && err == nil:
		err = c.out.gone() // beside its length: nobody can know (P3)
	}
	return n, err
}

// pieces writes b, with the descriptors of m (if not nil) in the first packet, whose payload is at most first bytes. The caller holds
// writing. On a stream each piece waits for room in the window, and n tells how far it came; a record waits
// once, and then goes whole (S4).
func (c *Conn) pieces(b []byte, first int, m *message) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.typ != sock.Stream && len(b) > c.out.box.MaxMessage() {
		return 0, c.tooLongLocked()
	}
	name, err := c.signatureLocked()
	if err != nil {
		return 0, err
	}
	begun := false // only the end of the connection stops it
	if m != nil && m.parcel != nil {
		if err := c.sendLuggageLocked(m); err != nil {
			return 0, err
		}
		begun = true
	}
	for limit := first - len(name); ; limit = wire.MaxPayload {
		p := wire.Packet{Type: wire.Data, Payload: b[n:]}
		switch {
		case n > 0 && c.typ != sock.Stream:
			p.Flags = wire.Continued
		case n == 0:
			p.Name = name // none on a stream
		}
		if limit = c.pieceLocked(limit); len(p.Payload) > limit {
			p.Payload = p.Payload[:limit]
			if c.typ != sock.Stream {
				p.Flags |= wire.More
			}
		}
		if err := c.putLocked(&p, m, begun); err != nil {
			if c.typ != sock.Stream {
				n = 0 // a record goes whole or not at all
			}
			return n, err
		}
		m, begun = nil, c.typ != sock.Stream
		if n += len(p.Payload); n == len(b) {
			return n, nil
		}
	}
}

// tooLongLocked is EMSGSIZE, but for what package net finds out before it asks the kernel.
func (c *Conn) tooLongLocked() error {
	return c.errorOf(min(sock.Stopped(c.closed, c.out.deadline.expired), sock.TooLong))
}

// signatureLocked is the name of the sender that a message begins with, on a link. A socket of
// another kind that wants credentials chooses a name when it first sends, and tells the peer before
// anything else (row 75). The caller holds writing, too.
func (c *Conn) signatureLocked() ([]byte, error) {
	if c.link != nil {
		return c.link.name, nil
	}
	o := &c.out
	if !c.pass || o.autobind == nil {
		return nil, nil
	}
	c.awaitPenLocked()
	if stop := sock.Stopped(c.closed, o.deadline.expired); stop != sock.NoObstacle {
		return nil, c.errorOf(stop)
	}
	name, bound, err := o.autobind()
	if err != nil {
		return nil, err
	}
	o.owed.name, o.bound, o.autobind = []byte(name), bound, nil
	o.owed.Owe(sock.DebtOptions)
	c.payLocked()
	return nil, nil
}

// pieceLocked bounds a piece of at most limit bytes: a stream is cut so that two pieces fit into
// the window.
func (c *Conn) pieceLocked(limit int) int {
	if c.typ != sock.Stream {
		return limit
	}
	return min(limit, c.out.box.MaxPiece())
}
