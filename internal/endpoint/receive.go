package endpoint

import (
	"errors"
	"io"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// packetLocked applies one packet of n bytes, of which placed are not in buf but in the buffer of
// the Read that waits. It owns buf.
func (c *session) packetLocked(buf *pipe.Buffer, n, placed int) error {
	p, err := wire.Parse(buf[:n])
	if err == nil && p.Type == wire.Data {
		return c.in.dataLocked(&p, buf, placed)
	}
	if err == nil {
		err = c.adminLocked(&p)
	}
	packets.Put(buf)
	return err
}

// dataLocked takes in a packet of the user's. It owns buf, where p lies.
func (in *inbox) dataLocked(p *wire.Packet, buf *pipe.Buffer, placed int) error {
	c := in.c
	s := sock.Segment{
		Data:      p.Payload,
		Buffer:    (*packetBuffer)(buf),
		More:      p.Flags&wire.More != 0,
		Continued: p.Flags&wire.Continued != 0,
		Placed:    placed,
	}
	take, err := in.admitLocked(&s, p)
	if !take || err != nil {
		packets.Put(buf)
		return err
	}
	if p.Records == 0 {
		return c.above.arriveLocked(s, nil)
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	return in.deliver(s, p, buf)
}

// deliver takes in a packet with descriptors.
func (in *inbox) deliver(s sock.Segment, p *wire.Packet, buf *pipe.Buffer) error {
	c := in.c
	defer in.endAdoption()
	if err := in.adopt(&s, p); err != nil {
		packets.Put(buf)
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	return c.above.arriveLocked(s, ends(&s))
}

// admitLocked checks and books a packet of the user's, and notes in s whose it is. It reports
// whether there is anything to be taken in: luggage waits for its message, and what comes behind
// our goodbye is the peer's to take back. If there are descriptors, the goodbye waits from then on
// until adopted.
func (in *inbox) admitLocked(s *sock.Segment, p *wire.Packet) (take bool, err error) {
	if err := in.c.above.headedLocked(p.Name, p.Serial, p.Flags); err != nil {
		return false, err
	}
	luggage := p.Flags&wire.Luggage != 0
	if p.Flags&wire.Credentials != 0 {
		s.Creds = in.c.peer.writing()
	}
	err = in.box.Admit(sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Continued: s.Continued, Luggage: luggage})
	switch {
	case err != nil:
		return false, err
	case luggage:
		in.luggage.add(p)
		return false, nil
	case in.intake == farewell:
		return false, nil
	case p.Records > 0:
		in.intake, in.adopted = adopting, p.Serial
	case !in.luggage.empty():
		return false, errNoEnd
	}
	return true, nil
}

// adopt takes over the descriptors of a packet before its sender hears that they have arrived (P3). A connection that has
// been closed here closes them at once.
func (in *inbox) adopt(s *sock.Segment, p *wire.Packet) error {
	c := in.c
	route, err := in.receiveRoute()
	if err != nil {
		return err
	}
	luggage, closed := in.claim()
	u := unpacker{c: c, route: route, baggage: luggage}
	s.Luggage = u.weight
	if closed {
		rights.Discard(c.table, c.pipe, route, p.Ancillary, p.Records)
		u.discard()
		c.pen.acknowledge(p.Serial)
		return nil
	}
	set, err := u.message(p)
	if err == nil && len(set.Ends()) > 0 {
		c.mu.Lock()
		c.out.shift.EndCame()
		c.mu.Unlock()
	}
	due := err == nil && c.above.receipt()
	told := due && c.pen.acknowledge(p.Serial)
	if (err != nil || route.Way == rights.Pull) && !told && !c.pipe.Connected() && !(due && c.pen.acknowledged()) { // it may have been told since
		set.Close()
		err = errLetGo
	}
	switch {
	case err == nil:
		s.Rights = set
		c.pen.creditWhatIsDue() // a connection that has been accepted takes more than its hello said
	case errors.Is(err, descriptor.ErrRightsTruncated), errors.Is(err, syscall.ESRCH), err == errLetGo:
		s.Lost = true
		c.mu.Lock()
		in.box.Refund(p.Records + s.Luggage)
		c.mu.Unlock()
		s.Luggage = 0
		c.pen.creditWhatIsDue()
		if c.above.receipt() {
			c.pen.acknowledge(p.Serial)
		}
	default:
		return err
	}
	return nil
}

// claim takes the luggage that has come, and reports whether the connection has been closed here.
func (in *inbox) claim() (luggage baggage, closed bool) {
	c := in.c
	c.mu.Lock()
	defer c.mu.Unlock()
	luggage = in.luggage
	in.luggage = baggage{}
	return luggage, c.closed
}

// errLetGo: a sender closes its end of the pipe before it lets go of copies that nobody has acknowledged (see abandon), and then other files
// may get their values. So what has been pulled is what was sent if that end is open still, which an acknowledgement shows that it
// takes; else it may be anything, or fail in any way.
var errLetGo = errors.New("the sender may have let go of the descriptors")

// endAdoption lets the goodbye be said.
func (in *inbox) endAdoption() {
	in.c.mu.Lock()
	defer in.c.mu.Unlock()
	if in.intake == adopting {
		in.intake = open
	}
	in.cond.Broadcast()
}

// receiveRoute returns how descriptors come from the peer, which must have said that it is ready first.
func (in *inbox) receiveRoute() (rights.Route, error) {
	c := in.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.out.shift.Agreed() || c.peer.from.Way == rights.Nobody {
		return rights.Route{}, errUnasked
	}
	return c.peer.from, nil
}

// queueLocked gives a segment to the inbox. If nobody is there to read it at once, it moves into a
// buffer of its size.
func (c *session) queueLocked(s sock.Segment) error {
	if !c.turn.waiting {
		fit(&s)
	}
	if c.custody == embryo {
		s.Creds = c.peer.writing()
	}
	wake, err := c.in.box.Put(s)
	if wake {
		c.turn.servedReadLocked()
	}
	return err
}

// fit moves a segment that will have to wait into a buffer that is not much larger than it.
func fit(s *sock.Segment) {
	n := len(s.Data)
	switch {
	case n <= len(smallBuffer{}):
		b := smalls.Get().(*smallBuffer)
		move(s, b[:n], b)
	case n <= len(mediumBuffer{}):
		b := mediums.Get().(*mediumBuffer)
		move(s, b[:n], b)
	}
}

func move(s *sock.Segment, to []byte, b sock.Buffer) {
	copy(to, s.Data)
	s.Buffer.Release()
	s.Data, s.Buffer = to, b
}

// adminLocked applies a packet of the peer's transport.
func (c *session) adminLocked(p *wire.Packet) error {
	switch p.Type {
	case wire.Ack:
		return c.peerAcknowledgesLocked(p.Serial)
	case wire.Credit:
		return c.peerCreditsLocked(p)
	case wire.Ready:
		return c.peerReadyLocked(p)
	case wire.Options:
		return c.peerOptionsLocked(p)
	case wire.Shutdown:
		c.peerShutdownLocked(p)
		return nil
	case wire.Bye:
		c.peerClosedLocked(p.Flags&wire.Reset != 0)
		return nil
	case wire.Refuse:
		return c.above.refusedLocked(p.Serial, fate(p.Flags))
	}
	c.mu.Unlock() // the others concern more than this connection
	defer c.mu.Lock()
	switch p.Type {
	case wire.Cancel:
		return c.above.cancelled(p.Serial)
	case wire.Move:
		return c.peerMoves(p)
	case wire.Hello:
		return c.rehello(p)
	}
	return errUnexpected
}

func (c *session) peerAcknowledgesLocked(serial uint64) error {
	c.turn.servedLocked()
	if c.out.box.Gone() && c.out.box.Outstanding() == 0 {
		return nil // it was severed by a goodbye that overtook us
	}
	defer c.out.settleLocked()
	return c.out.box.Ack(serial)
}

func (c *session) peerCreditsLocked(p *wire.Packet) error {
	body, err := wire.ParseCredit(p.Payload)
	if err != nil {
		return err
	}
	c.turn.servedLocked()
	return c.out.box.Credit(sock.Credit{Consumed: body.Consumed, Rights: body.Rights})
}

func (c *session) peerOptionsLocked(p *wire.Packet) error {
	window, err := wire.ParseOptions(p.Payload)
	if err == nil {
		err = c.in.box.SetWindow(window)
	}
	if err != nil {
		return err
	}
	if len(p.Name) > 0 {
		c.above.renamedLocked(p.Name)
	}
	c.peer.options(p.Flags&wire.PassCredentials != 0)
	c.pen.creditWhatIsDueLocked() // a smaller window may be full of what has been read
	if p.Serial != 0 {
		c.pen.acknowledgeLocked(p.Serial)
	}
	return nil
}

func (c *session) peerShutdownLocked(p *wire.Packet) {
	if p.Flags&wire.ShutWrite != 0 {
		c.in.box.Finish()
		c.in.cond.Broadcast()
	}
	if p.Flags&wire.ShutRead != 0 {
		c.out.box.Deafen()
		c.out.cond.Broadcast()
		c.out.nudgeGuests()
	}
	if p.Serial != 0 {
		c.pen.acknowledgeLocked(p.Serial)
	}
}

// peerClosedLocked notes that the peer's socket is closed: what it sent can be read, what is sent
// to it is lost.
func (c *session) peerClosedLocked(reset bool) {
	c.pen.awaitLocked()
	c.out.box.Farewell()
	c.out.settleLocked()
	c.out.cond.Broadcast()
	c.out.nudgeGuests()
	if reset {
		c.in.box.Reset()
	} else {
		c.in.box.Leave()
	}
	c.in.cond.Broadcast()
}

// unclaimed closes luggage whose message will not come.
func (in *inbox) unclaimed() {
	left, _ := in.claim()
	if route, err := in.receiveRoute(); err == nil && !left.empty() {
		u := unpacker{c: in.c, route: route, baggage: left}
		u.discard()
	}
}

// bereaveLocked ends sending. If the peer has not ended, it returns what is to be released by
// abandon. The caller has called lockToWrite.
func (c *session) bereaveLocked(peerEnded bool) (left []sock.Parked) {
	if peerEnded {
		c.out.box.Bury()
	} else {
		left = c.out.box.Sever()
	}
	c.pen.severLocked()
	return left
}

// abandon closes this end, and then lets go of what is parked for a peer that may live: else it could pull whatever has got the values since,
// and take it for what was sent (see errLetGo).
func (c *session) abandon(left []sock.Parked) error {
	if len(left) == 0 {
		return c.pipe.Close()
	}
	err := c.pipe.Hangup()
	for _, p := range left {
		(*message)(p.(*parked)).copies().Release()
	}
	return err
}

// ended notes that no packet will come any more: io.EOF, or why the connection broke.
func (c *session) ended(err error) {
	c.in.unclaimed()
	c.pen.lock()
	left := c.bereaveLocked(err == io.EOF)
	c.out.settleLocked()
	switch {
	case err == io.EOF:
		c.in.box.Finish()
	case c.in.failure == nil:
		c.in.failure = failure(err)
		c.in.box.Fail()
	}
	c.in.cond.Broadcast()
	c.mu.Unlock()
	switch {
	case len(left) > 0:
		go c.abandon(left)
	case err != io.EOF:
		c.pipe.Close() // nothing more is to be said to such a peer
	}
	c.above.lost()
}
