package endpoint

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// outbox is the sending half: sock.Outbox with its deadline, and what travels over the session.
type outbox struct {
	c        *session
	cond     sync.Cond // on it waits who waits for room, an acknowledgement, the pen, or the peer
	box      *sock.Outbox
	deadline deadline
	settling []*message // whose copies are let go: see settleLocked
	left     error      // to a sender who finds the peer gone
	autobind Autobind   // nil if the socket has a name
	bound    io.Closer  // to the one that it has chosen

	guests []guest       // ends that are being moved over this connection
	strays []*message    // luggage in the pipe whose message will not come: see Stray
	kept   []sock.Parked // of an end that broke while it moved: to be let go of when its pipe is closed

	exported []*rights.Outgoing // sockets that have strayed: open until the pipe is closed
}

// A sending is the one message that is being loaded and written: whoever has one has the lock
// session.writing.
type sending struct{ *outbox }

// send begins a sending, as soon as there is no other. done ends it.
func (o *outbox) send() sending {
	o.c.writing.Lock()
	return sending{o}
}

func (s sending) done() { s.c.writing.Unlock() }

// takeExportedLocked returns the sockets that have strayed, and forgets them.
func (o *outbox) takeExportedLocked() (exported []*rights.Outgoing) {
	exported, o.exported = o.exported, nil
	return exported
}

// takeKeptLocked returns what is to be let go of when the pipe is closed, and forgets it.
func (o *outbox) takeKeptLocked() (kept []sock.Parked) {
	kept, o.kept = o.kept, nil
	return kept
}

// errorOf returns the error that o is to a sender.
func (o *outbox) errorOf(why sock.Obstacle) error { return errorOf(why, o.left) }

// writeStoppedLocked says why no write can go on.
func (o *outbox) writeStoppedLocked() error {
	return o.errorOf(min(sock.Stopped(o.c.closed, o.deadline.expired), o.box.Obstacle()))
}

// gone says that the peer is gone.
func (o *outbox) gone() error { return errorOf(o.box.Loss(), o.left) }

// sendRoute returns how descriptors travel to the peer. It waits until the peer is ready, and until
// there is room for so many, if any; EPERM if nobody can duplicate, EAGAIN if nobody has taken the
// other end for long.
func (o *outbox) sendRoute(weight int) (rights.Route, error) {
	c := o.c
	c.mu.Lock()
	defer c.mu.Unlock()
	w := wait{c: c}
	defer w.endLocked()
	late := absence{c: c}
	defer late.end()
	for {
		if err := o.writeStoppedLocked(); err != nil {
			return rights.Route{}, err
		}
		if c.moves.Ready() && (weight == 0 || o.box.Room(weight)) {
			break
		}
		if late.passed() {
			return rights.Route{}, syscall.EAGAIN
		}
		w.moreLocked()
	}
	if c.peer.to.Way == rights.Nobody {
		return rights.Route{}, syscall.EPERM
	}
	return c.peer.to, nil
}

// sendWith writes b with the descriptors of m beside its first byte. If nothing has been
// written m has no transfer, and has been taken back.
func (s sending) sendWith(b []byte, m *message) (n int, err error) {
	if err = s.load(m); err == nil {
		n, err = s.pieces(b, wire.MaxPayload-m.MaxLen(), m)
	}
	if m.transfer == nil {
		s.undo(m, err)
		err = s.bereaved(err)
	}
	return n, err
}

// pieces writes b, with the descriptors of m (if not nil) in the first packet, whose payload is at
// most first bytes. On a stream each piece waits for room in the window, and n tells how far that
// has come; a record waits once, and then goes whole (S4).
func (s sending) pieces(b []byte, first int, m *message) (n int, err error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.typ != sock.Stream && len(b) > s.box.MaxMessage() {
		return 0, s.tooLongLocked()
	}
	name, err := c.above.signatureLocked()
	if err != nil {
		return 0, err
	}
	begun := false // only the end of the connection stops it
	if m != nil && m.ends != nil {
		if err := s.sendLuggageLocked(m); err != nil {
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
		if limit = s.pieceLocked(limit); len(p.Payload) > limit {
			p.Payload = p.Payload[:limit]
			if c.typ != sock.Stream {
				p.Flags |= wire.More
			}
		}
		if err := s.putLocked(&p, m, begun); err != nil {
			s.abandonedLocked()
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
func (s sending) tooLongLocked() error {
	return s.errorOf(min(sock.Stopped(s.c.closed, s.deadline.expired), sock.TooLong))
}

// pieceLocked bounds a piece of at most limit bytes: a stream is cut so that two pieces fit into
// the window.
func (s sending) pieceLocked(limit int) int {
	if s.c.typ != sock.Stream {
		return limit
	}
	return min(limit, s.box.MaxPiece())
}

// bereaved translates that the peer's process is dead, if duplicating into it has found that out
// before its end of the pipe was read.
func (o *outbox) bereaved(err error) error {
	if !errors.Is(err, syscall.ESRCH) {
		return err
	}
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	return o.gone()
}

// putLocked waits for room and writes one Data packet, with the descriptors of m if that is not
// nil. If its message has begun, only the end of the connection stops it.
func (s sending) putLocked(p *wire.Packet, m *message, begun bool) error {
	c := s.c
	weight := m.weight()
	own := s.carriesItself(m) // it may begin, though this end is being moved
	w := wait{c: c}
	defer w.endLocked()
	for {
		late := s.deadline.expired && !begun
		if err := s.errorOf(min(sock.Stopped(c.closed, late), s.box.Obstacle())); err != nil {
			return err
		}
		if !begun && weight > 0 && !s.c.moves.Ready() {
			return errMoving
		}
		if !begun && m.moves() && !s.box.Room(weight) {
			m.lacks = weight
			return errCrowded
		}
		switch {
		case s.c.moves.Presents():
			if err := c.moves.presentLocked(); err != nil {
				return err
			}
		case c.pen.payLocked(): // anything may have happened meanwhile
		case c.pen.blocked(), s.c.moves.Stops(begun || own), !begun && !s.box.Room(weight):
			w.moreLocked()
		case c.pen.taken():
			c.pen.yieldLocked()
		default:
			err := s.putNowLocked(p, m)
			if err != syscall.EAGAIN { // else a flusher waits
				c.pen.payLocked()
				return err
			}
		}
	}
}

// putNowLocked writes one Data packet, for which there is room. What becomes of the packet is
// booked before it is written, since its acknowledgement may be here before the writer is back.
func (s sending) putNowLocked(p *wire.Packet, m *message) error {
	c := s.c
	if c.peer.pass || c.above.vouchedLocked() {
		p.Flags |= wire.Credentials
	}
	luggage := p.Flags&wire.Luggage != 0
	var t *sock.Transfer
	if m != nil {
		p.Serial = s.box.NextSerial()
	}
	if m != nil && !luggage {
		p.Records = m.records()
		m.room = sock.Transfer{}
		t = &m.room
		s.trackLocked(m)
	}
	a := sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Luggage: luggage}
	s.box.Sent(a)
	err := c.pen.writeLocked(p, m)
	if err != nil && s.withdrawnLocked(a, t) {
		return err
	}
	s.c.moves.Wrote(p.Flags&(wire.More|wire.Luggage) != 0)
	if t != nil {
		m.transfer = t
		s.unloadedLocked()
	}
	return err
}

// trackLocked books that m is to be acknowledged.
func (s sending) trackLocked(m *message) {
	if m.Outgoing == nil {
		s.box.Track(&m.room, nil)
		return
	}
	m.of = s.outbox
	s.box.Track(&m.room, (*parked)(m))
}

// withdrawnLocked takes back what has been booked of a packet that has not been written. If the
// peer has answered it all the same, that is the end of the connection; of a message that the peer
// has acknowledged, nothing is left to be taken back.
func (s sending) withdrawnLocked(a sock.Arrival, t *sock.Transfer) bool {
	c := s.c
	err := s.box.Unsend(a, t)
	if err != nil {
		c.mu.Unlock()
		c.ended(err)
		c.mu.Lock()
	}
	return t == nil || t.Fate == sock.Written
}
