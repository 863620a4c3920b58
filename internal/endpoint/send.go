package endpoint

import (
	"net"
	"os"
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Write sends bytes on a stream, and else one record.
func (c *Conn) Write(b []byte) (int, error) {
	if len(b) == 0 && c.typ == sock.Stream {
		return 0, c.writable()
	}
	s := c.out.send()
	defer s.done()
	n, err := s.pieces(b, wire.MaxPayload, nil)
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
		c.turn.catchUp()
	}
	if c.typ == sock.Seqpacket {
		if reset := c.resetFirst(); reset != nil {
			return reset
		}
	}
	if unsigned := c.sign(); unsigned != nil {
		return unsigned
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
		return c.in.ending()
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
	if bad != nil && sock.BadFile < o {
		return bad
	}
	if o == sock.Left {
		return c.part()
	}
	return c.out.errorOf(o)
}

// part is told to a sender who finds the peer gone. A datagram socket then discards what it has not
// read.
func (c *Conn) part() error {
	if c.typ != sock.Datagram {
		return c.out.errorOf(sock.Left)
	}
	c.mu.Lock()
	defer c.unlock()
	o := c.out.box.Part()
	if o == sock.Left {
		for c.stage == paused { // what is in the queue is being sent
			c.in.cond.Wait()
		}
		c.in.box.Disconnect()
	}
	return c.out.errorOf(o)
}

// writable says why a write would fail whatever it sent. That the peer has closed may be in the
// pipe still.
func (c *Conn) writable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn.catchUpLocked()
	return c.out.writeStoppedLocked()
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
	for weight := 0; ; {
		m, n, err := c.attempt(b, files, weight)
		switch {
		case err == move.ErrCycle:
			return len(b), nil
		case err == errMoving: // to whoever has the other end now
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

// attempt gathers files, and writes b with them, once there is room for that weight; without a
// message, it has not got so far. If this end is among the files, it waits for whoever is writing
// first: while the end is being moved, he would not go on.
func (c *Conn) attempt(b []byte, files []transport.File, weight int) (m *message, n int, err error) {
	if slices.ContainsFunc(files, func(f transport.File) bool { return f.End == any(c) }) {
		s := c.out.send()
		defer s.done()
		if m, err = c.out.gather(files, weight); err != nil {
			return nil, 0, err
		}
		n, err = s.sendWith(b, m)
		return m, n, err
	}
	if m, err = c.out.gather(files, weight); err != nil {
		return nil, 0, err
	}
	s := c.out.send()
	defer s.done()
	n, err = s.sendWith(b, m)
	return m, n, err
}

// acknowledged waits until the peer has adopted the descriptors of a message of which n bytes have
// been written; err is what stopped the rest, if anything did.
func (c *Conn) acknowledged(m *message, n int, err error) (int, error) {
	t := m.transfer
	c.mu.Lock()
	defer c.mu.Unlock()
	w := wait{c: &c.session}
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
	c.out.settledLocked(m)
	switch {
	case t.Fate == sock.Severed:
		return 0, c.out.gone()
	case t.Fate == sock.Lost && err == nil:
		err = c.out.gone() // beside its length: nobody can know (P3)
	}
	return n, err
}

// sign gives the socket the name that it would have if its message could have been sent: the kernel
// does that before it looks at the peer and at the length (row 75).
func (c *Conn) sign() error {
	c.mu.Lock()
	defer c.unlock()
	_, err := c.signatureLocked()
	return err
}

// A socket that wants credentials chooses a name when it first sends, and tells the peer before
// anything else (row 75).
func (c *Conn) signatureLocked() ([]byte, error) {
	o := &c.out
	if !c.pass || o.autobind == nil {
		return nil, nil
	}
	c.pen.awaitLocked()
	if stop := sock.Stopped(c.closed, o.deadline.expired); stop != sock.NoObstacle {
		return nil, c.out.errorOf(stop)
	}
	name, bound, err := o.autobind()
	if err != nil {
		return nil, err
	}
	c.pen.owed.name, o.bound, o.autobind = []byte(name), bound, nil
	c.pen.owed.Owe(sock.DebtOptions)
	c.pen.payLocked()
	return nil, nil
}
