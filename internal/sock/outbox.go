package sock

import "slices"

// Fate is what became of a message whose descriptors are under way (P3).
type Fate uint8

// The fates. A message begins as Written: before that, nothing has happened.
const (
	Written      Fate = iota // it is in the pipe
	Acknowledged             // the receiver has adopted its descriptors
	Unknown                  // nobody waits for the acknowledgement any more; its sender's copies stay parked
	Severed                  // the receiver has been closed without looking at it: nothing was sent
	Buried                   // the receiver has ended with it, read or not: as in the kernel, it was sent
	Lost                     // the connection broke: nobody can know
	Refused                  // the receiver has not queued it, and never will (datagrams)
	Barred                   // … because it is connected to somebody else
)

// Parked are the descriptors of one message that is under way.
type Parked interface {
	// Release closes the sender's copies. The message has arrived, or nobody knows.
	Release()
	// TakeBack also undoes what was put into the receiver, who has not looked at the message and
	// never will.
	TakeBack()
	// Decline is called when the receiver has discarded the message, with what was put into it.
	Decline()
}

// A Transfer is a message, or a shutdown, that will be acknowledged.
type Transfer struct {
	Fate   Fate
	serial uint64
	parked Parked // nil for a shutdown
}

// Serial is the number under which t was written.
func (t *Transfer) Serial() uint64 { return t.serial }

// An Outbox is the sending half of a socket.
type Outbox struct {
	typ   Type
	state OutboxState // which moves with the socket

	former    uint64      // the serial number of the last transfer of a former owner's, which may be acknowledged still
	inherited uint64      // that of the message by which the socket came: see Follow
	transfers []*Transfer // unacknowledged, oldest first
}

// NewOutbox returns the sending half of a socket.
func NewOutbox(t Type) *Outbox {
	return &Outbox{typ: t, state: OutboxState{Peer: Connected, Buffer: DefaultBuffer}}
}

// SetBuffer sets SO_SNDBUF, within its bounds, and returns the window that follows from it.
func (o *Outbox) SetBuffer(bytes int) (window uint32) {
	o.state.Buffer = uint32(min(max(bytes, minBuffer), maxBuffer))
	return o.Window()
}

// Buffer returns SO_SNDBUF.
func (o *Outbox) Buffer() int { return int(o.state.Buffer) }

// Window returns how much may be under way, in units of cost.
func (o *Outbox) Window() uint32 { return buffersInWindow * o.state.Buffer }

// MaxMessage is the largest record (row 49).
func (o *Outbox) MaxMessage() int { return MaxMessage(o.Buffer()) }

// MaxPiece bounds a piece of a stream so that two fit into the buffer, as in unix_stream_sendmsg.
func (o *Outbox) MaxPiece() int { return o.Buffer()/2 - 64 }

// Broken reports whether sending is over: EPIPE.
func (o *Outbox) Broken() bool { return o.state.Shut || o.state.Deaf || o.state.Gone }

// Silent reports whether the owner has shut down writing.
func (o *Outbox) Silent() bool { return o.state.Shut }

// Gone reports whether the peer is closed, or the connection broken.
func (o *Outbox) Gone() bool { return o.state.Gone }

// Room reports whether a message with descriptors of this weight may be sent now. As on Linux, a
// message may overshoot the window, but none begins while it is full.
func (o *Outbox) Room(weight int) bool {
	return o.state.Sent-o.state.Consumed < uint64(o.Window()) && (weight == 0 || o.state.RightsSent+uint64(weight) <= o.state.RightsLimit)
}

// Sent books a packet that is on its way into the pipe.
func (o *Outbox) Sent(a Arrival) {
	o.state.Sent += a.cost()
	o.state.RightsSent += uint64(a.Weight())
}

// Unsend takes back what Sent has booked last, and Track (t may be nil): the packet has not got
// into the pipe. An error means that the peer has credited or acknowledged it all the same; then t
// stays what the peer has made of it.
func (o *Outbox) Unsend(a Arrival, t *Transfer) error {
	if t != nil && !o.Untrack(t) {
		return errAck
	}
	o.state.Sent -= a.cost()
	o.state.RightsSent -= uint64(a.Weight())
	if o.state.Sent < o.state.Consumed {
		return errCredit
	}
	return nil
}

// NextSerial is the number that the next transfer will have.
func (o *Outbox) NextSerial() uint64 { return o.state.Serial + 1 }

// Track notes that t is about to be written under NextSerial. The Outbox releases what is parked
// (which may be nil) when t has been acknowledged, or the receiver closed.
func (o *Outbox) Track(t *Transfer, parked Parked) {
	o.state.Serial++
	t.serial, t.parked = o.state.Serial, parked
	o.transfers = append(o.transfers, t)
}

// Untrack takes back what Track has done last: t has not been written. It fails if the peer has
// acknowledged t all the same.
func (o *Outbox) Untrack(t *Transfer) bool {
	last := len(o.transfers) - 1
	if last < 0 || o.transfers[last] != t {
		return false
	}
	o.transfers = slices.Delete(o.transfers, last, last+1)
	o.state.Serial--
	return true
}

// Ack books the peer's acknowledgement of all transfers up to serial.
func (o *Outbox) Ack(serial uint64) error {
	switch {
	case serial > o.state.Serial:
		return errAck
	case o.inherited > 0 && serial <= o.inherited:
		return nil
	case 0 < serial && serial <= o.former: // who did not wait for that, since the peer was moving
		return nil
	case len(o.transfers) == 0 || serial < o.transfers[0].serial:
		return errAck
	}
	for len(o.transfers) > 0 && o.transfers[0].serial <= serial {
		o.finish(Acknowledged, Parked.Release)
	}
	return nil
}

// finish ends the oldest transfer.
func (o *Outbox) finish(f Fate, let func(Parked)) {
	t := o.transfers[0]
	o.transfers = slices.Delete(o.transfers, 0, 1) // keeps the room for the next one
	t.Fate = f
	if t.parked != nil {
		let(t.parked)
	}
}

// Refuse books that the peer has not queued the datagrams up to serial, and what this means for
// them. What was put into the peer with them, it has discarded.
func (o *Outbox) Refuse(serial uint64, fate Fate) error {
	if serial > o.state.Serial {
		return errAck
	}
	for len(o.transfers) > 0 && o.transfers[0].serial <= serial {
		o.finish(fate, Parked.Decline)
	}
	return nil
}

// Outstanding returns how many transfers are unacknowledged.
func (o *Outbox) Outstanding() int { return len(o.transfers) }

// Credit books what the peer has told us.
func (o *Outbox) Credit(c Credit) error {
	if o.inherited > 0 && c.Consumed <= o.state.Consumed && c.Rights <= o.state.RightsLimit {
		return nil
	}
	if c.Consumed > o.state.Sent || c.Consumed < o.state.Consumed || c.Rights < o.state.RightsLimit {
		return errCredit
	}
	o.state.Consumed, o.state.RightsLimit = c.Consumed, c.Rights
	return nil
}

// Grant sets the number of descriptors that the peer's hello allows.
func (o *Outbox) Grant(rights uint64) { o.state.RightsLimit = rights }

// Raise sets the number of descriptors that a later hello allows.
func (o *Outbox) Raise(rights uint64) error {
	if rights < o.state.RightsLimit {
		return errCredit
	}
	o.state.RightsLimit = rights
	return nil
}

// Shut notes that the owner has shut down writing, and reports whether that is news.
func (o *Outbox) Shut() bool {
	was := o.state.Shut
	o.state.Shut = true
	return !was
}

// Deafen notes that the peer has shut down reading.
func (o *Outbox) Deafen() { o.state.Deaf = true }

// Lose notes that nothing can be sent any more. What is unacknowledged waits for what the pipe
// still brings: its acknowledgement, the goodbye, or the end.
func (o *Outbox) Lose() { o.state.Gone = true }

// Bury notes that the peer has ended without a farewell. It looks at nothing any more.
func (o *Outbox) Bury() { o.end(Buried, Parked.Release) }

// Farewell notes that the peer has been closed. It has looked at everything that it has
// acknowledged, and at nothing else.
func (o *Outbox) Farewell() { o.end(Severed, Parked.TakeBack) }

// Sever notes that the connection is of no use any more, and returns what is parked still. The peer
// may live, and look at what is in the pipe: the caller releases it when that has been closed.
func (o *Outbox) Sever() (left []Parked) {
	o.end(Lost, func(p Parked) { left = append(left, p) })
	return left
}

func (o *Outbox) end(f Fate, let func(Parked)) {
	o.state.Gone = true
	for len(o.transfers) > 0 {
		o.finish(f, let)
	}
}
