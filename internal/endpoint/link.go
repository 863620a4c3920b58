package endpoint

import (
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A link is what a datagram socket keeps for one of its connections. It is guarded by the socket's lock, but for what is said.
type link struct {
	socket *PacketConn

	// Of a link on which datagrams come:
	mail    sock.Link[*Conn]
	ends    []mover // that have come with the datagram of which pieces are coming; only the reader uses them
	offered []mover // … with the datagram that waits for room in the queue

	// Of a link on which datagrams go:
	name []byte   // ours; guarded by Conn.writing
	pass bool     // it has credentials; guarded by Conn.writing
	last *message // that had no descriptors; guarded by Conn.writing
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
	l.socket.mu.Lock()
	defer l.socket.mu.Unlock()
	l.mail.Sign(p.Serial)
	l.mail.Name(p.Name)
	return nil
}

// named notes what the socket at the other end is called.
func (l *link) named(name []byte) {
	l.socket.mu.Lock()
	defer l.socket.mu.Unlock()
	l.mail.Name(name)
}

// deliver takes in a datagram, or a piece of one, that has come on c, and the ends with its first piece.
func (s *PacketConn) deliver(c *Conn, seg sock.Segment, ends []mover) error {
	who := c.current()
	s.recognize(c.peerID, who)
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
	offer := sock.Offer{Serial: l.mail.Offering(), Peer: s.isPeer(c.peerID, who), Own: s.own(c.peerID, who), Ends: len(l.ends) > 0}
	if err := s.mail.Offer(&l.mail, offer); err != nil {
		return err
	}
	l.offered, l.ends = l.ends, nil
	return nil
}

// carryOut does what the mailbox wants. The caller holds mu.
func (s *PacketConn) carryOut() {
	effects := s.mail.Effects()
	for i := range effects {
		e := &effects[i]
		c := e.Link.Conn
		switch e.Do {
		case sock.Acknowledge:
			s.owe(c, func(owed *owed) { owed.Acknowledge(e.Serial) })
			s.arrived, s.arriving = append(s.arrived, c.link.offered...), s.arriving+len(c.link.offered)
			c.link.offered = nil
			s.cond.Signal()
		case sock.Refuse:
			s.discard(c, func(box *sock.Inbox) { box.Keep(e.Records) })
			c.link.offered = nil
			s.owe(c, func(owed *owed) { owed.Refuse(e.Serial, e.Fate) })
			s.credit(c)
		case sock.Purge:
			s.discard(c, func(box *sock.Inbox) { box.Skip(e.Records) })
			s.credit(c)
		case sock.Drop:
			go c.Close() // we may be the link's reader
		}
	}
	clear(effects) // a link that has been closed is not kept
}

// discard discards datagrams of c. Their descriptors are closed by unlock. The caller holds mu.
func (s *PacketConn) discard(c *Conn, records func(*sock.Inbox)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	records(c.in.box)
	s.discarded = append(s.discarded, c.in.box.Discarded()...)
}

// reason is how a packet says what becomes of a datagram that is not queued.
func reason(f sock.Fate) uint8 {
	switch f {
	case sock.Barred:
		return wire.Stranger
	case sock.Severed:
		return wire.Closing
	}
	return 0
}

// fate is what such a packet says.
func fate(reason uint8) sock.Fate {
	switch reason {
	case wire.Stranger:
		return sock.Barred
	case wire.Closing:
		return sock.Severed
	}
	return sock.Refused
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
	return c.out.box.Refuse(p.Serial, fate(p.Flags))
}

// withdraw takes in that the sender of a datagram does not wait for it any longer.
func (s *PacketConn) withdraw(c *Conn, serial uint64) {
	s.mu.Lock()
	defer s.unlock()
	s.mail.Withdraw(&c.link.mail, serial)
}

// ended notes that nothing more comes on c.
func (s *PacketConn) ended(c *Conn) {
	s.mu.Lock()
	defer s.unlock()
	s.mail.End(&c.link.mail)
}
