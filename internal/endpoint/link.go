package endpoint

import (
	"afunix/internal/cred"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// A link is one of a datagram socket's connections. What is not the session's is guarded by the socket's lock, but for what is said.
type link struct {
	session
	owner *PacketConn

	// Of a link on which datagrams come:
	mail    sock.Link[*link]
	ends    []move.End // that have come with the datagram of which pieces are coming; only the reader uses them
	offered []move.End // … with the datagram that waits for room in the queue

	// Of a link on which datagrams go:
	name    []byte   // ours; guarded by writing
	vouched bool     // it has credentials; guarded by writing
	last    *message // that had no descriptors; guarded by writing
}

// newLink returns a link of s whose hello is still to come, and which takes up to rights descriptors ahead of its reader.
func (s *PacketConn) newLink(p pipe.Pipe, cfg Config, server bool, rights int) *link {
	l := &link{owner: s}
	l.mail.Conn = l
	l.setUp(l, p, cfg, server, rights)
	l.id = s.id
	l.out.box.SetBuffer(s.sendBuffer())
	return l
}

// Taken is never called: nobody is given a link.
func (l *link) Taken() {}

func (l *link) permits(who cred.Credentials) wire.Status { return l.owner.permits(l.peer.id, who) }

// headedLocked notes what a datagram's first packet says of it. Nothing comes on a link that this side has opened.
func (l *link) headedLocked(name []byte, serial uint64, flags uint8) error {
	switch {
	case !l.server:
		return errUnexpected
	case flags&(wire.Continued|wire.Luggage) != 0:
		return nil
	case serial == 0:
		return errUnexpected
	}
	l.mu.Unlock() // it is the socket that notes it, whose lock comes first
	defer l.mu.Lock()
	l.owner.mu.Lock()
	defer l.owner.mu.Unlock()
	l.mail.Sign(serial)
	l.mail.Name(name)
	return nil
}

// renamedLocked notes what the socket at the other end is called.
func (l *link) renamedLocked(name []byte) {
	l.mu.Unlock()
	defer l.mu.Lock()
	l.owner.mu.Lock()
	defer l.owner.mu.Unlock()
	l.mail.Name(name)
}

func (l *link) arriveLocked(seg sock.Segment, ends []move.End) error {
	l.mu.Unlock()
	defer l.mu.Lock()
	fit(&seg)
	return l.owner.deliver(l, seg, ends)
}

// A datagram has arrived when it has been queued: see PacketConn.carryOut.
func (l *link) receipt() bool { return false }

func (l *link) cancelled(serial uint64) error {
	l.owner.withdraw(l, serial)
	return nil
}

func (l *link) refusedLocked(serial uint64, why sock.Fate) error {
	l.turn.servedLocked()
	defer l.out.settleLocked()
	return l.out.box.Refuse(serial, why)
}

func (l *link) signatureLocked() ([]byte, error) { return l.name, nil }

func (l *link) vouchedLocked() bool { return l.pass || l.vouched }

func (l *link) lost() { l.owner.lost(l) }

func (l *link) unsettled() bool { return len(l.ends) > 0 }

func (l *link) socket() transport.Conn { return l.owner }

// deliver takes in a datagram, or a piece of one, that has come on l, and the ends with its first piece.
func (s *PacketConn) deliver(l *link, seg sock.Segment, ends []move.End) error {
	who := l.current()
	s.recognize(l.peer.id, who)
	s.mu.Lock()
	defer s.unlock()
	l.mu.Lock()
	if s.pass {
		seg.Creds = l.peer.writing()
	}
	whole, err := l.in.box.Put(seg)
	s.discarded = append(s.discarded, l.in.box.Discarded()...)
	l.mu.Unlock()
	if len(ends) > 0 {
		l.ends = ends
	}
	if err != nil || !whole {
		return err
	}
	offer := sock.Offer{Serial: l.mail.Offering(), Peer: s.isPeer(l.peer.id, who), Own: s.own(l.peer.id, who), Ends: len(l.ends) > 0}
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
		l := e.Link.Conn
		switch e.Do {
		case sock.Acknowledge:
			s.owe(l, func(owed *owed) { owed.Acknowledge(e.Serial) })
			s.arrived, s.arriving = append(s.arrived, l.offered...), s.arriving+len(l.offered)
			l.offered = nil
			s.cond.Signal()
		case sock.Refuse:
			s.discard(l, func(box *sock.Inbox) { box.Keep(e.Records) })
			l.offered = nil
			s.owe(l, func(owed *owed) { owed.Refuse(e.Serial, e.Fate) })
			s.credit(l)
		case sock.Purge:
			s.discard(l, func(box *sock.Inbox) { box.Skip(e.Records) })
			s.credit(l)
		case sock.Drop:
			go l.Close() // we may be the link's reader
		}
	}
	clear(effects) // a link that has been closed is not kept
}

// discard discards datagrams of l. Their descriptors are closed by unlock. The caller holds mu.
func (s *PacketConn) discard(l *link, records func(*sock.Inbox)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records(l.in.box)
	s.discarded = append(s.discarded, l.in.box.Discarded()...)
}

// withdraw takes in that the sender of a datagram does not wait for it any longer.
func (s *PacketConn) withdraw(l *link, serial uint64) {
	s.mu.Lock()
	defer s.unlock()
	s.mail.Withdraw(&l.mail, serial)
}

// lost notes that nothing more comes on l.
func (s *PacketConn) lost(l *link) {
	s.mu.Lock()
	defer s.unlock()
	s.mail.End(&l.mail)
}
