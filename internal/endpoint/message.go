package endpoint

import (
	"errors"
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// message is what has to be acknowledged of one message: its descriptors, or that a datagram has
// been queued.
type message struct {
	*rights.Outgoing                // nil if it has no descriptors
	parcel           *parcel        // of its descriptors that are ends of ours; nil if none is
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
		n += m.parcel.weight()
	}
	return n
}

// moves reports whether ends of ours go along.
func (m *message) moves() bool { return m != nil && m.parcel != nil }

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
	if m.parcel != nil {
		return m.parcel
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
func (c *Conn) settleLocked() {
	o := &c.out
	for len(o.settling) > 0 {
		m := o.settling[0]
		o.settling = slices.Delete(o.settling, 0, 1)
		c.mu.Unlock()
		m.let(m.copies())
		c.mu.Lock()
		m.let = nil
		o.cond.Broadcast()
	}
}

// settledLocked waits until nothing is to be done about the copies of m.
func (c *Conn) settledLocked(m *message) {
	for m.let != nil {
		c.out.cond.Wait()
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

// undo takes back a message that has not been written, for the reason why. The caller holds
// writing, so that no other one is loaded.
func (c *Conn) undo(m *message, why error) {
	if m.Outgoing == nil {
		return
	}
	exported := m.Exported() || m.parcel.exported()
	m.TakeBack()
	m.parcel.undo()
	c.unload()
	if exported && !errors.Is(why, syscall.ESRCH) && !c.outlives() {
		c.abort(syscall.ECONNABORTED) // what was exported cannot be taken back (P4)
	}
}

// outlives reports whether the peer is gone. What it has said before can still be read.
func (c *Conn) outlives() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.box.Gone()
}

// gather looks at files, and gets the ends among them ready to move, once there is room for a message
// of that weight. On an error nothing has happened.
func (c *Conn) gather(files []transport.File, weight int) (*message, error) {
	route, err := c.sendRoute(weight)
	if err != nil {
		return nil, err
	}
	m := &message{Outgoing: rights.NewOutgoing(c.table, c.pipe, route, len(files))}
	for i, f := range files {
		if f.End == nil {
			err = m.Add(f.Value)
		} else {
			err = c.addEnd(m, route, f.End)
		}
		if err != nil {
			return nil, &descriptor.IndexError{Index: i, Err: err}
		}
	}
	if err := m.parcel.pack(m.Outgoing); err != nil {
		return nil, err
	}
	return m, nil
}

// load duplicates the descriptors of m for the peer: errShifted if the peer's end moves away from
// where they would go. The caller holds writing.
func (c *Conn) load(m *message) error {
	if m.Outgoing == nil {
		return nil
	}
	c.mu.Lock()
	ready := c.out.shift.Load()
	c.mu.Unlock()
	if !ready {
		return errShifted
	}
	err := m.Duplicate()
	if err == nil {
		err = m.parcel.duplicate()
	}
	return err
}

// unload notes that no message is loaded that has not been written.
func (c *Conn) unload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unloadedLocked()
}

func (c *Conn) unloadedLocked() {
	if c.out.shift.Unload() {
		c.payLocked()
	}
	c.out.cond.Broadcast()
}
