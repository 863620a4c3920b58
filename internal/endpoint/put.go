package endpoint

import (
	"errors"
	"syscall"

	"afunix/internal/sock"
	"afunix/internal/wire"
)

// putLocked waits for room and writes one Data packet, with the descriptors of m if that is not
// nil. If its message has begun, only the end of the connection stops it. The caller holds writing,
// too.
func (c *Conn) putLocked(p *wire.Packet, m *message, begun bool) error {
	weight := m.weight()
	own := m != nil && m.parcel.itself() // it may begin, though this end is being moved
	w := wait{c: c}
	defer w.endLocked()
	for {
		late := c.out.deadline.expired && !begun
		if err := c.errorOf(min(sock.Stopped(c.closed, late), c.out.box.Obstacle())); err != nil {
			return err
		}
		if !begun && weight > 0 && !c.out.shift.Ready() {
			return errShifted
		}
		if !begun && m.moves() && !c.out.box.Room(weight) {
			m.lacks = weight
			return errCrowded
		}
		switch {
		case c.out.shift.Presents():
			if err := c.presentLocked(); err != nil {
				return err
			}
		case c.payLocked(): // anything may have happened meanwhile
		case c.out.full, c.out.shift.Stops(begun || own), !begun && !c.out.box.Room(weight):
			w.moreLocked()
		case c.out.pen || c.out.queuing > 0:
			c.yieldLocked()
		default:
			err := c.putNowLocked(p, m)
			if err != syscall.EAGAIN { // else a flusher waits
				c.payLocked()
				return err
			}
		}
	}
}

// putNowLocked writes one Data packet. The caller has found room. What becomes of the packet is
// booked before it is written, since its acknowledgement may be here before the writer is back.
func (c *Conn) putNowLocked(p *wire.Packet, m *message) error {
	if c.pass || c.out.peerPass || c.link != nil && c.link.pass {
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
	err := c.writeLocked(p, m)
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
func (c *Conn) trackLocked(m *message) {
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
func (c *Conn) withdrawnLocked(a sock.Arrival, t *sock.Transfer) bool {
	err := c.out.box.Unsend(a, t)
	if err != nil {
		c.mu.Unlock()
		c.ended(err)
		c.mu.Lock()
	}
	return t == nil || t.Fate == sock.Written
}

// writeLocked puts a packet into the pipe. The caller has the pen from here on, which is free,
// until this returns; mu is released meanwhile, so that nobody waits for a system call. Whatever
// can happen to the packet has been booked before. EAGAIN: the pipe is full, and a flusher has been
// started; EPIPE: the connection is severed; another error is that of the descriptors of m.
func (c *Conn) writeLocked(p *wire.Packet, m *message) error {
	o := &c.out
	if o.severed {
		return syscall.EPIPE
	}
	o.pen = true
	c.mu.Unlock()
	bad := m.seal(p)
	var err error
	if bad == nil {
		err = c.transmit(p)
	}
	c.mu.Lock()
	o.pen = false
	if o.queuing > 0 || o.yielding || o.shift.Moving() || c.closed {
		o.cond.Broadcast()
	}
	switch {
	case bad != nil:
		return bad
	case err == nil:
		o.packets++
		return nil
	case errors.Is(err, syscall.EAGAIN):
		o.full = true
		go c.flush()
		return syscall.EAGAIN
	}
	o.lose()
	return syscall.EPIPE
}

// transmit writes a packet. The caller has the pen, and so the buffer.
func (c *Conn) transmit(p *wire.Packet) error {
	head := p.AppendHead(c.out.head[:0])
	err := c.pipe.Write(head, p.Payload)
	if cap(head) > keepHead {
		head = nil
	}
	c.out.head = head
	return err
}

// keepHead bounds what an idle connection keeps for the head of its next packet.
const keepHead = 256

// lockToWrite locks mu when nobody is writing. So what is under way, what is owed but for
// acknowledgements and credit, and whether anything can be written at all, do not change while a
// packet is on its way into the pipe.
func (c *Conn) lockToWrite() {
	c.mu.Lock()
	c.awaitPenLocked()
}

// awaitPenLocked waits until nobody is writing. That is brief, since nobody waits inside a write.
func (c *Conn) awaitPenLocked() {
	o := &c.out
	if !o.pen {
		return
	}
	o.queuing++
	for o.pen {
		o.cond.Wait()
	}
	if o.queuing--; o.yielding {
		o.cond.Broadcast()
	}
}

// yieldLocked waits for the pen, and for everybody else who does: whoever writes much takes it
// again and again. The caller is the one Write.
func (c *Conn) yieldLocked() {
	o := &c.out
	o.yielding = true
	for o.pen || o.queuing > 0 {
		o.cond.Wait()
	}
	o.yielding = false
}

// lose ends sending because the pipe takes nothing any more. What the other end has said before is
// in the pipe still, and decides about what is unacknowledged: see ended and peerClosed.
func (o *outbox) lose() {
	o.box.Lose()
	o.silence()
}

// silence wakes whoever waits to send, or to be acknowledged.
func (o *outbox) silence() {
	o.severed = true
	o.cond.Broadcast()
	o.nudgeGuests()
}

// nudgeGuests makes ends look around that are being moved over this connection.
func (o *outbox) nudgeGuests() {
	for _, d := range o.hosted {
		for _, e := range d.guests {
			go e.nudge() // it has locks of its own
		}
	}
}

// flush waits until the pipe has room, pays what is owed, and lets the writers go on.
func (c *Conn) flush() {
	err := c.pipe.WaitWritable()
	c.lockToWrite()
	defer c.mu.Unlock()
	c.out.full = false
	if err != nil {
		c.out.lose()
	}
	c.payLocked()
	c.wakeWritesLocked()
}
