package endpoint

import (
	"slices"

	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A link is what a datagram socket keeps for one of its connections. It is guarded by the socket's lock, but for what is said.
type link struct {
	socket *PacketConn

	// Of a link on which datagrams come:
	over     bool    // nothing will come any more
	offering uint64  // the serial number of the datagram of which pieces are coming; only the reader uses it
	ends     []mover // … that have come with it; likewise
	sender   string  // the name in the last datagram
	offers   []offer // the datagrams that are held, oldest first
	queued   int     // how many datagrams are in the socket's queue

	// Of a link on which datagrams go:
	name []byte   // ours; guarded by Conn.writing
	pass bool     // it has credentials; guarded by Conn.writing
	last *message // that had no descriptors; guarded by Conn.writing
}

// An offer is a datagram that is not in the queue yet.
type offer struct {
	serial uint64
	ends   []mover // that have come with it, and are started when it is
}

// sign notes what a datagram's first packet says of it. Nothing comes on a link that this side has opened.
func (l *link) sign(s *sock.Segment, p *wire.Packet, server bool) error {
	switch {
	case !server:
		return errUnexpected
	case s.Continued, p.Flags&wire.Luggage != 0:
		return nil
	case p.Serial == 0:
		return errUnexpected
	}
	l.offering = p.Serial
	l.named(p.Name)
	return nil
}

// named notes what the socket at the other end is called.
func (l *link) named(name []byte) {
	l.socket.mu.Lock()
	defer l.socket.mu.Unlock()
	if string(name) != l.sender {
		l.sender = string(name)
	}
}

// deliver takes in a datagram, or a piece of one, that has come on c, and the ends with its first piece.
func (s *PacketConn) deliver(c *Conn, seg sock.Segment, ends []mover) error {
	s.recognize(c.peerID, c.current())
	s.mu.Lock()
	defer s.unlock()
	c.mu.Lock()
	if s.pass {
		seg.Creds = c.in.writing()
	}
	whole, err := c.in.box.Put(seg)
	s.discarded = append(s.discarded, c.in.box.Discarded()...)
	c.mu.Unlock()
	l := c.link
	if len(ends) > 0 {
		l.ends = ends
	}
	if err != nil || !whole {
		return err
	}
	if len(l.offers) == maxOffers {
		return errHasty
	}
	l.offers = append(l.offers, offer{l.offering, l.ends})
	l.ends = nil
	s.held = append(s.held, c)
	switch {
	case s.closed:
		s.refuse(c, len(l.offers)-1, wire.Closing)
	case !s.opens(c):
		s.refuse(c, len(l.offers)-1, wire.Stranger)
	case s.deaf:
		s.refuse(c, len(l.offers)-1, 0)
	default:
		s.admit()
	}
	return nil
}

// admit moves what is held into the queue, as far as that has room. To itself a socket may send whatever its buffer holds (row
// 124), and while it moves there is room for ends, up to the last one that is held: whoever goes along has to be here. The caller holds mu.
func (s *PacketConn) admit() {
	for len(s.held) > 0 {
		c := s.held[0]
		switch {
		case len(s.queue) > maxQueue && !s.own(c) && !(s.paused && s.holdsEnds()):
			return
		case s.deaf:
			s.refuse(c, 0, 0)
			continue
		}
		s.held = slices.Delete(s.held, 0, 1)
		s.queue = append(s.queue, c)
		c.link.queued++
		o := c.link.offers[0]
		s.owe(c, func(owed *owed) { owed.Acknowledge(o.serial) })
		s.arrived, s.arriving = append(s.arrived, o.ends...), s.arriving+len(o.ends)
		c.link.offers = slices.Delete(c.link.offers, 0, 1)
		s.cond.Signal()
	}
}

// holdsEnds reports whether there are ends among what is held. The caller holds mu.
func (s *PacketConn) holdsEnds() bool {
	return slices.ContainsFunc(s.held, func(c *Conn) bool {
		return slices.ContainsFunc(c.link.offers, func(o offer) bool { return len(o.ends) > 0 })
	})
}

// refuse discards the datagrams that are held of c, but for the first n, and says so. The caller holds mu.
func (s *PacketConn) refuse(c *Conn, n int, why uint8) {
	l := c.link
	if n >= len(l.offers) {
		return
	}
	last := l.offers[len(l.offers)-1].serial
	for i := len(s.held) - 1; len(l.offers) > n; i-- {
		if s.held[i] == c {
			s.held = slices.Delete(s.held, i, i+1)
			l.offers = l.offers[:len(l.offers)-1]
		}
	}
	c.mu.Lock()
	c.in.box.Keep(l.queued + n)
	s.discarded = append(s.discarded, c.in.box.Discarded()...)
	c.mu.Unlock()
	s.owe(c, func(owed *owed) { owed.Refuse(last, fateOf(why)) })
	s.credit(c)
}

func (c *Conn) peerCancels(p *wire.Packet) error {
	if c.link == nil {
		return errUnexpected
	}
	c.link.socket.withdraw(c, p.Serial)
	return nil
}

func (c *Conn) peerRefusesLocked(p *wire.Packet) error {
	if c.link == nil {
		return errUnexpected
	}
	c.servedLocked()
	defer c.settleLocked()
	return c.out.box.Refuse(p.Serial, fateOf(p.Flags))
}

// fateOf is what a refusal says: see reason.
func fateOf(why uint8) sock.Fate {
	switch why {
	case wire.Stranger:
		return sock.Barred
	case wire.Closing:
		return sock.Severed
	}
	return sock.Refused
}

// withdraw discards the newest datagram of c, if it is the one that its sender means and is not in the queue yet.
func (s *PacketConn) withdraw(c *Conn, serial uint64) {
	s.mu.Lock()
	defer s.unlock()
	if n := len(c.link.offers); n > 0 && c.link.offers[n-1].serial == serial {
		s.refuse(c, n-1, 0)
	}
}

// ended notes that nothing more comes on c. What is held was never sent; what is in the queue can still be read.
func (s *PacketConn) ended(c *Conn) {
	s.mu.Lock()
	defer s.unlock()
	c.link.over = true
	s.refuse(c, 0, wire.Closing)
	if c.link.queued == 0 {
		s.drop(c)
	}
}

// drop closes a link that is of no use any more. The caller holds mu, and may be the link's reader.
func (s *PacketConn) drop(c *Conn) {
	if _, ok := s.in[c]; ok {
		delete(s.in, c)
		go c.Close()
	}
}
