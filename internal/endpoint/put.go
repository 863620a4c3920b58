package endpoint

import (
	"errors"
	"os"
	"syscall"

	"afunix/internal/sock"
	"afunix/internal/wire"
)

// put waits for room and writes one Data packet, with the descriptors of m if that is not nil. If its message has begun, only the
// end of the connection stops it.
func (c *Conn) put(p *wire.Packet, m *message, begun bool) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	weight := m.weight()
	own := m != nil && m.parcel.itself() // it may begin, though this end is being moved
	w := wait{c: c}
	defer w.end()
	for {
		if err := c.out.stopped(); err != nil && !(begun && errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		if !begun && weight > 0 && !c.out.ready {
			return errShifted
		}
		if err := c.present(); err != nil {
			return err
		}
		c.pay()
		if !c.out.full && !c.out.shift.stops(begun || own) && (begun || c.out.box.Room(weight)) {
			switch err := c.putNow(p, m); err {
			case nil:
				return nil
			case syscall.EAGAIN: // a flusher waits
			case syscall.EPIPE:
				return c.out.gone()
			default:
				return err
			}
		}
		w.more()
	}
}

// putNow writes one Data packet. The caller holds out.mu and has found room.
func (c *Conn) putNow(p *wire.Packet, m *message) error {
	if c.out.pass || c.out.peerPass || c.link != nil && c.link.pass {
		p.Flags |= wire.Credentials
	}
	luggage := p.Flags&wire.Luggage != 0
	if !luggage && m.records() > 0 && p.Ancillary == nil {
		var err error
		if p.Ancillary, err = m.Records(); err != nil {
			return err
		}
		p.Records = m.Len()
	}
	if m != nil {
		p.Serial = c.out.box.NextSerial()
	}
	if err := c.write(p); err != nil {
		return err
	}
	c.out.box.Sent(sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Luggage: luggage})
	c.out.shift.begun = p.Flags&(wire.More|wire.Luggage) != 0
	if m != nil && !luggage {
		m.room = sock.Transfer{}
		m.transfer = &m.room
		c.out.box.Track(m.transfer, m.parked())
		c.unloaded()
	}
	return nil
}

// write puts a packet into the pipe. The caller holds out.mu. EAGAIN: the pipe is full, and a flusher has been started; another error:
// the connection is severed.
func (c *Conn) write(p *wire.Packet) error {
	if c.out.severed {
		return syscall.EPIPE
	}
	c.out.head = p.AppendHead(c.out.head[:0])
	err := c.pipe.Write(c.out.head, p.Payload)
	if cap(c.out.head) > keepHead {
		c.out.head = nil
	}
	switch {
	case err == nil:
		c.out.packets++
		return nil
	case errors.Is(err, syscall.EAGAIN):
		c.out.full = true
		go c.flush()
		return syscall.EAGAIN
	}
	c.out.lose()
	return syscall.EPIPE
}

// keepHead bounds what an idle connection keeps for the head of its next packet.
const keepHead = 256

// lose ends sending because the pipe takes nothing any more. What the other end has said before is in the pipe still, and decides about
// what is unacknowledged: see ended and peerClosed. The caller holds mu.
func (o *outbox) lose() {
	o.box.Lose()
	o.silence()
}

// silence wakes whoever waits to send, or to be acknowledged. The caller holds mu.
func (o *outbox) silence() {
	o.severed = true
	o.cond.Broadcast()
	o.nudgeGuests()
}

// nudgeGuests makes ends look around that are being moved over this connection. The caller holds mu.
func (o *outbox) nudgeGuests() {
	for _, d := range o.shift.hosted {
		for _, e := range d.guests {
			go e.nudge() // it has locks of its own
		}
	}
}

// flush waits until the pipe has room, pays what is owed, and lets the writers go on.
func (c *Conn) flush() {
	err := c.pipe.WaitWritable()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.full = false
	if err != nil {
		c.out.lose()
	}
	c.pay()
	c.wakeWrites()
}
