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
	return n, c.part(c.blame(err))
}

// part discards what a datagram socket has not read when it finds out that its peer is gone, which is err: the kernel purges its queue
// (unix_dgram_disconnected).
func (c *Conn) part(err error) error {
	if c.typ == sock.Datagram && c.link == nil && err == syscall.ECONNREFUSED {
		c.mu.Lock()
		defer c.unlock()
		for c.in.paused { // what is in the queue is being sent
			c.in.cond.Wait()
		}
		c.in.box.Keep(0)
	}
	return err
}

// blame returns what the kernel would say in the place of err, if the peer turns out to be closed. Of a connection of records that
// it has reset whoever comes first is told, reading or writing, before anything else (unix_seqpacket_sendmsg); and a datagram
// socket that is closed does not matter as one that has shut down reading.
func (c *Conn) blame(err error) error {
	if err == nil || c.typ == sock.Stream || err == net.ErrClosed || err == os.ErrDeadlineExceeded {
		return err
	}
	c.catchUp()
	if c.typ == sock.Datagram {
		return c.blameGone(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.box.ResetFirst() {
		return c.in.end()
	}
	return err
}

func (c *Conn) blameGone(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == syscall.EPIPE && c.out.box.Gone() && !c.out.box.Silent() {
		return c.out.gone()
	}
	return err
}

// writable says why a write would fail whatever it sent. That the peer has closed may be in the pipe still.
func (c *Conn) writable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUpLocked()
	return c.writeStoppedLocked()
}

// writeStoppedLocked says why no write can go on: the order is that of package net.
func (c *Conn) writeStoppedLocked() error {
	o := &c.out
	switch {
	case c.closed:
		return net.ErrClosed
	case o.deadline.expired:
		return os.ErrDeadlineExceeded
	case o.box.Silent():
		return syscall.EPIPE
	case o.box.Gone():
		return o.gone()
	case o.box.Broken():
		return syscall.EPIPE
	}
	return nil
}

// gone says that the peer is gone. A datagram socket has none from then on (row 120).
func (o *outbox) gone() error {
	switch {
	case !o.datagram:
		return syscall.EPIPE
	case o.apart:
		return syscall.ENOTCONN
	}
	o.apart = true
	return syscall.ECONNREFUSED
}

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
	for {
		m, n, err := c.attempt(b, files)
		switch {
		case err == errCycle:
			return len(b), nil
		case err == errShifted:
			continue // to whoever has the other end now
		case m == nil:
			return 0, c.part(c.blame(c.precedence(len(b), files, err)))
		case m.transfer == nil:
			return 0, c.part(c.blame(err))
		}
		n, err = c.acknowledged(m, n, err)
		m.arrived()
		return n, c.part(err)
	}
}

// precedence returns what the kernel would find out before that the socket cannot send, which is err: a file that is not open, a
// record that is too long.
func (c *Conn) precedence(n int, files []transport.File, err error) error {
	switch err {
	case syscall.EPIPE, syscall.ECONNREFUSED, syscall.ENOTCONN:
	default:
		return err
	}
	first := badFile(c.table, files)
	if first == nil && c.typ != sock.Stream && n > c.maxMessage() {
		first = syscall.EMSGSIZE
	}
	if first == nil {
		return err
	}
	if err == syscall.ECONNREFUSED {
		c.mu.Lock()
		c.out.apart = false // it has not been found out
		c.mu.Unlock()
	}
	return first
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

// sendRoute returns how descriptors travel to the peer. It waits until the peer is ready; EPERM if
// nobody can duplicate, EAGAIN if nobody has taken the other end for long.
func (c *Conn) sendRoute() (rights.Route, error) {
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
		if c.out.shift.Ready() {
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

// attempt gathers files, and writes b with them; without a message, it has not got so far. If this end is among the files, it waits for whoever
// is writing first: while the end is being moved, he would not go on.
func (c *Conn) attempt(b []byte, files []transport.File) (m *message, n int, err error) {
	itself := slices.ContainsFunc(files, func(f transport.File) bool { return f.End == any(c) })
	if itself {
		c.writing.Lock()
		defer c.writing.Unlock()
	}
	if m, err = c.gather(files); err != nil {
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
	switch {
	case c.closed:
		return net.ErrClosed
	case c.out.deadline.expired:
		return os.ErrDeadlineExceeded
	}
	return syscall.EMSGSIZE
}

// signatureLocked is the name of the sender that a message begins with, on a link. A socket of another kind that wants credentials
// chooses a name when it first sends, and tells the peer before anything else (row 75). The caller holds writing, too.
func (c *Conn) signatureLocked() ([]byte, error) {
	if c.link != nil {
		return c.link.name, nil
	}
	o := &c.out
	if !c.pass || o.autobind == nil {
		return nil, nil
	}
	c.awaitPenLocked()
	switch {
	case c.closed:
		return nil, net.ErrClosed
	case o.deadline.expired:
		return nil, os.ErrDeadlineExceeded
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

// pieceLocked bounds a piece of at most limit bytes: a stream is cut so that two pieces fit into the window.
func (c *Conn) pieceLocked(limit int) int {
	if c.typ != sock.Stream {
		return limit
	}
	return min(limit, c.out.box.MaxPiece())
}

func (c *Conn) maxMessage() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.box.MaxMessage()
}
