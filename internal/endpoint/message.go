package endpoint

import (
	"errors"
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// message is what has to be acknowledged of one message: its descriptors, or that a datagram has
// been queued.
type message struct {
	*rights.Outgoing                // nil if it has no descriptors
	route            rights.Route   // by which they travel
	ends             *move.Outgoing // those of its descriptors that are ends of ours; nil if none is
	transfer         *sock.Transfer // once it has been written
	room             sock.Transfer  // for that
	lacks            int            // the weight for which there was no room: see errCrowded

	of  *outbox           // that it is in
	let func(sock.Parked) // what is to be done with the copies, as soon as mu is free; nil: nothing, or it has been
}

// records returns the number of descriptors.
func (m *message) records() int {
	if m == nil || m.Outgoing == nil {
		return 0
	}
	return m.Len()
}

// weight is what it takes of the credit for descriptors, with what its ends take along.
func (m *message) weight() int {
	n := m.records()
	if n > 0 {
		n += m.ends.Weight()
	}
	return n
}

// moves reports whether ends of ours go along.
func (m *message) moves() bool { return m != nil && m.ends != nil }

// maxLen bounds the length of its records.
func (m *message) maxLen() int {
	if m.Outgoing == nil {
		return 0
	}
	return m.MaxLen()
}

// copies are what is parked until m has arrived: descriptors of this process, and what has been put
// into the other one.
func (m *message) copies() sock.Parked {
	if m.ends != nil {
		return m.ends
	}
	return m.Outgoing
}

// A parked is a message in an outbox, which decides under the lock what becomes of the copies: see
// settleLocked.
type parked message

func (p *parked) Release()  { p.settle(sock.Parked.Release) }
func (p *parked) TakeBack() { p.settle(sock.Parked.TakeBack) }
func (p *parked) Decline()  { p.settle(sock.Parked.Decline) }

func (p *parked) settle(let func(sock.Parked)) {
	p.let = let
	p.of.settling = append(p.of.settling, (*message)(p))
}

// settleLocked does what has been decided about the copies of messages, with mu released: it closes
// descriptors here and in the other process. Their senders wait for that.
func (o *outbox) settleLocked() {
	for len(o.settling) > 0 {
		m := o.settling[0]
		o.settling = slices.Delete(o.settling, 0, 1)
		o.c.mu.Unlock()
		m.let(m.copies())
		o.c.mu.Lock()
		m.let = nil
		o.cond.Broadcast()
	}
}

// settledLocked waits until nothing is to be done about the copies of m.
func (o *outbox) settledLocked(m *message) {
	for m.let != nil {
		o.cond.Wait()
	}
}

// seal completes the packet that brings the descriptors of m. Sockets are exported by that, which
// cannot be taken back (P4).
func (m *message) seal(p *wire.Packet) (err error) {
	if p.Records > 0 && p.Ancillary == nil {
		p.Ancillary, err = m.Records()
	}
	return err
}

// undo takes back a message that has not been written, for the reason why.
func (s sending) undo(m *message, why error) {
	if m.Outgoing == nil {
		return
	}
	exported := m.Exported() || m.ends.Exported()
	m.TakeBack()
	m.ends.Undo()
	s.unload()
	if exported && !errors.Is(why, syscall.ESRCH) && !s.outlives() {
		s.c.abort(syscall.ECONNABORTED) // what was exported cannot be taken back (P4)
	}
}

// outlives reports whether the peer is gone. What it has said before can still be read.
func (o *outbox) outlives() bool {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	return o.box.Gone()
}

// gather looks at files, and gets the ends among them ready to move, once there is room for a
// message of that weight. On an error nothing has happened.
func (o *outbox) gather(files []transport.File, weight int) (*message, error) {
	route, err := o.sendRoute(weight)
	if err != nil {
		return nil, err
	}
	m := &message{Outgoing: rights.NewOutgoing(o.c.table, o.c.pipe, route, len(files)), route: route}
	if err := o.add(m, route, files); err != nil {
		return nil, err
	}
	if m.ends != nil {
		if err := m.ends.Pack(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// add adds files to m. The error is about the first that cannot be sent.
func (o *outbox) add(m *message, route rights.Route, files []transport.File) (err error) {
	bad := -1
	for i, f := range files {
		if f.End == nil {
			m.Add(f.Value)
		} else if err = o.addEnd(m, route, f.End); err != nil {
			bad = i
			break
		}
	}
	if err := m.Look(); err != nil || bad < 0 {
		return err
	}
	return &descriptor.IndexError{Index: bad, Err: err}
}

// load duplicates the descriptors of m for the peer: errMoving if the peer's end moves away from
// where they would go, or has, and they travel to its new owner by another route.
func (s sending) load(m *message) error {
	if m.Outgoing == nil {
		return nil
	}
	s.c.mu.Lock()
	ready := m.route == s.c.peer.to && s.c.moves.Load()
	s.c.mu.Unlock()
	if !ready {
		return errMoving
	}
	err := m.Duplicate()
	if err == nil {
		err = m.ends.Duplicate()
	}
	return err
}

// unload notes that no message is loaded that has not been written.
func (s sending) unload() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.unloadedLocked()
	s.abandonedLocked()
}

// abandonedLocked notes that the rest of a message will not be written.
func (s sending) abandonedLocked() {
	if s.c.moves.Abandon() {
		s.c.turn.wakeMoverLocked()
	}
}

func (o *outbox) unloadedLocked() {
	o.c.pen.awaitLocked()
	var luggage unclaimed
	if v := &o.c.moves; v.Unload() {
		luggage = o.c.in.takeUnclaimedLocked(v.told != nil)
	}
	o.c.pen.payLocked()
	o.c.in.discardLocked(luggage)
	o.c.turn.wakeMoverLocked()
}

// arrived ends the sending of a message, unless it has not been written: then undo has.
func (m *message) arrived() {
	if m != nil && m.ends != nil && m.transfer != nil {
		m.ends.Settle(m.fate() != sock.Unknown)
	}
}

// fate returns what has become of a message that has been written.
func (m *message) fate() sock.Fate {
	m.of.c.mu.Lock()
	defer m.of.c.mu.Unlock()
	return m.transfer.Fate
}
