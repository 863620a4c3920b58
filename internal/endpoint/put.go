package endpoint

import (
	"errors"
	"os"
	"syscall"

	"afunix/internal/sock"
	"afunix/internal/wire"
)

// putLocked waits for room and writes one Data packet, with the descriptors of m if that is not
// nil. If its message has begun, only the end of the connection stops it. The caller holds writing,
// too.
func (o *outbox) putLocked(p *wire.Packet, m *message, begun bool) error {
	c := o.c
	weight := m.weight()
	own := m != nil && m.parcel.itself() // it may begin, though this end is being moved
	w := wait{c: c}
	defer w.endLocked()
	for {
		if err := o.writeStoppedLocked(); err != nil && !(begun && errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		if !begun && weight > 0 && !o.shift.Ready() {
			return errShifted
		}
		switch {
		case o.shift.Presents():
			if err := c.presentLocked(); err != nil {
				return err
			}
		case c.pen.payLocked(): // anything may have happened meanwhile
		case c.pen.blocked(), o.shift.Stops(begun || own), !begun && !o.box.Room(weight):
			w.moreLocked()
		case c.pen.taken():
			c.pen.yieldLocked()
		default:
			err := o.putNowLocked(p, m)
			if err != syscall.EAGAIN { // else a flusher waits
				c.pen.payLocked()
				return err
			}
		}
	}
}

// putNowLocked writes one Data packet. The caller has found room. What becomes of the packet is
// booked before it is written, since its acknowledgement may be here before the writer is back.
func (o *outbox) putNowLocked(p *wire.Packet, m *message) error {
	c := o.c
	if c.peer.pass || c.above.vouchedLocked() {
		p.Flags |= wire.Credentials
	}
	luggage := p.Flags&wire.Luggage != 0
	var t *sock.Transfer
	if m != nil {
		p.Serial = o.box.NextSerial()
	}
	if m != nil && !luggage {
		p.Records = m.records()
		m.room = sock.Transfer{}
		t = &m.room
		o.trackLocked(m)
	}
	a := sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Luggage: luggage}
	o.box.Sent(a)
	err := c.pen.writeLocked(p, m)
	if err != nil && o.withdrawnLocked(a, t) {
		return err
	}
	o.shift.Wrote(p.Flags&(wire.More|wire.Luggage) != 0)
	if t != nil {
		m.transfer = t
		o.unloadedLocked()
	}
	return err
}

// trackLocked books that m is to be acknowledged.
func (o *outbox) trackLocked(m *message) {
	if m.Outgoing == nil {
		o.box.Track(&m.room, nil)
		return
	}
	m.of = o
	o.box.Track(&m.room, (*parked)(m))
}

// withdrawnLocked takes back what has been booked of a packet that has not been written. If the
// peer has answered it all the same, that is the end of the connection; of a message that the peer
// has acknowledged, nothing is left to be taken back.
func (o *outbox) withdrawnLocked(a sock.Arrival, t *sock.Transfer) bool {
	c := o.c
	err := o.box.Unsend(a, t)
	if err != nil {
		c.mu.Unlock()
		c.ended(err)
		c.mu.Lock()
	}
	return t == nil || t.Fate == sock.Written
}

// nudgeGuests makes ends look around that are being moved over this connection.
func (o *outbox) nudgeGuests() {
	for _, d := range o.hosted {
		for _, e := range d.guests {
			go e.nudge() // it has locks of its own
		}
	}
}
