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
func (c *session) putLocked(p *wire.Packet, m *message, begun bool) error {
	weight := m.weight()
	own := m != nil && m.parcel.itself() // it may begin, though this end is being moved
	w := wait{c: c}
	defer w.endLocked()
	for {
		if err := c.writeStoppedLocked(); err != nil && !(begun && errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		if !begun && weight > 0 && !c.out.shift.Ready() {
			return errShifted
		}
		switch {
		case c.out.shift.Presents():
			if err := c.presentLocked(); err != nil {
				return err
			}
		case c.pen.payLocked(): // anything may have happened meanwhile
		case c.pen.blocked(), c.out.shift.Stops(begun || own), !begun && !c.out.box.Room(weight):
			w.moreLocked()
		case c.pen.taken():
			c.pen.yieldLocked()
		default:
			err := c.putNowLocked(p, m)
			if err != syscall.EAGAIN { // else a flusher waits
				c.pen.payLocked()
				return err
			}
		}
	}
}

// putNowLocked writes one Data packet. The caller has found room. What becomes of the packet is
// booked before it is written, since its acknowledgement may be here before the writer is back.
func (c *session) putNowLocked(p *wire.Packet, m *message) error {
	if c.peer.pass || c.above.vouchedLocked() {
		p.Flags |= wire.Credentials
	}
	luggage := p.Flags&wire.Luggage != 0
	var t *sock.Transfer
	if m != nil {
		p.Serial = c.out.box.NextSerial()
	}
	if m != nil && !luggage {
		p.Records = m.records()
		m.room = sock.Transfer{}
		t = &m.room
		c.trackLocked(m)
	}
	a := sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Luggage: luggage}
	c.out.box.Sent(a)
	err := c.pen.writeLocked(p, m)
	if err != nil && c.withdrawnLocked(a, t) {
		return err
	}
	c.out.shift.Wrote(p.Flags&(wire.More|wire.Luggage) != 0)
	if t != nil {
		m.transfer = t
		c.unloadedLocked()
	}
	return err
}

// trackLocked books that m is to be acknowledged.
func (c *session) trackLocked(m *message) {
	if m.Outgoing == nil {
		c.out.box.Track(&m.room, nil)
		return
	}
	m.of = &c.out
	c.out.box.Track(&m.room, (*parked)(m))
}

// withdrawnLocked takes back what has been booked of a packet that has not been written. If the
// peer has answered it all the same, that is the end of the connection; of a message that the peer
// has acknowledged, nothing is left to be taken back.
func (c *session) withdrawnLocked(a sock.Arrival, t *sock.Transfer) bool {
	err := c.out.box.Unsend(a, t)
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
