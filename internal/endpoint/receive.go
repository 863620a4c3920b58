package endpoint

import (
	"errors"
	"io"
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// packetLocked applies one packet of n bytes, of which placed are not in buf but in the buffer of
// the Read that waits. It owns buf.
func (c *Conn) packetLocked(buf *pipe.Buffer, n, placed int) error {
	p, err := wire.Parse(buf[:n])
	if err == nil && p.Type == wire.Data {
		return c.dataLocked(&p, buf, placed)
	}
	if err == nil {
		err = c.adminLocked(&p)
	}
	packets.Put(buf)
	return err
}

// dataLocked takes in a packet of the user's. It owns buf, where p lies.
func (c *Conn) dataLocked(p *wire.Packet, buf *pipe.Buffer, placed int) error {
	s := sock.Segment{
		Data:      p.Payload,
		Buffer:    (*packetBuffer)(buf),
		More:      p.Flags&wire.More != 0,
		Continued: p.Flags&wire.Continued != 0,
		Placed:    placed,
	}
	take, err := c.admitLocked(&s, p)
	if !take || err != nil {
		packets.Put(buf)
		return err
	}
	if c.link == nil && p.Records == 0 {
		return c.queueLocked(s)
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	return c.deliver(s, p, buf)
}

// deliver takes in a packet with descriptors, or one of a datagram that a link brings.
func (c *Conn) deliver(s sock.Segment, p *wire.Packet, buf *pipe.Buffer) error {
	if p.Records > 0 {
		defer c.adopted()
		if err := c.adopt(&s, p); err != nil {
			packets.Put(buf)
			return err
		}
	}
	ends := ends(&s)
	if c.link != nil {
		fit(&s)
		return c.link.socket.deliver(c, s, ends)
	}
	c.settle(ends) // before anybody can read them, and send them on
	c.mu.Lock()
	defer c.unlock()
	return c.queueLocked(s)
}

// admitLocked checks and books a packet of the user's, and notes in s whose it is. It reports
// whether there is anything to be taken in: luggage waits for its message, and what comes behind
// our goodbye is the peer's to take back. If there are descriptors, the goodbye waits from then on
// until adopted.
func (c *Conn) admitLocked(s *sock.Segment, p *wire.Packet) (take bool, err error) {
	if err := c.signLocked(s, p); err != nil {
		return false, err
	}
	luggage := p.Flags&wire.Luggage != 0
	in := &c.in
	if p.Flags&wire.Credentials != 0 {
		s.Creds = in.writing()
	}
	err = in.box.Admit(sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Continued: s.Continued, Luggage: luggage})
	switch {
	case err != nil:
		return false, err
	case luggage:
		in.luggage.add(p)
		return false, nil
	case in.farewell:
		return false, nil
	case p.Records > 0:
		in.adopting, in.adopted = true, p.Serial
	case !in.luggage.empty():
		return false, errNoEnd
	}
	return true, nil
}

// signLocked notes the name that a datagram carries. Other packets of the user's carry none.
func (c *Conn) signLocked(s *sock.Segment, p *wire.Packet) error {
	switch {
	case c.link != nil:
		c.mu.Unlock() // it is its socket that notes it
		defer c.mu.Lock()
		return c.link.sign(s, p, c.server)
	case len(p.Name) > 0:
		return errUnexpected
	}
	return nil
}

// named notes what the peer has chosen to be called. Accept shows it, if it comes before that, and so does whoever takes an end that has
// moved here.
func (c *Conn) namedLocked(name string) {
	if c.in.peerName == name {
		return
	}
	c.in.peerName = name
	if c.in.embryo || c.in.untaken {
		c.remote = address(c.typ, name)
	}
}

// adopt takes over the descriptors of a packet before its sender hears that they have arrived (P3). A connection that has
// been closed here closes them at once.
func (c *Conn) adopt(s *sock.Segment, p *wire.Packet) error {
	route, err := c.receiveRoute()
	if err != nil {
		return err
	}
	luggage, closed := c.claim()
	u := unpacker{c: c, route: route, baggage: luggage}
	s.Luggage = u.weight
	if closed {
		rights.Discard(c.table, c.pipe, route, p.Ancillary, p.Records)
		u.discard()
		c.acknowledge(p.Serial)
		return nil
	}
	set, err := u.message(p)
	if err == nil && len(set.Ends()) > 0 {
		c.mu.Lock()
		c.out.shift.EndCame()
		c.mu.Unlock()
	}
	due := err == nil && c.link == nil // a datagram is acknowledged later, when it has been queued
	told := due && c.acknowledge(p.Serial)
	if (err != nil || route.Way == rights.Pull) && !told && !c.pipe.Connected() && !(due && c.ackPaid()) { // it may have been told since
		set.Close()
		err = errLetGo
	}
	switch {
	case err == nil:
		s.Rights = set
		c.creditWhatIsDue() // a connection that has been accepted takes more than its hello said
	case errors.Is(err, descriptor.ErrRightsTruncated), errors.Is(err, syscall.ESRCH), err == errLetGo:
		s.Lost = true
		c.mu.Lock()
		c.in.box.Refund(p.Records + s.Luggage)
		c.mu.Unlock()
		s.Luggage = 0
		c.creditWhatIsDue()
		if c.link == nil {
			c.acknowledge(p.Serial)
		}
	default:
		return err
	}
	return nil
}

// claim takes the luggage that has come, and reports whether the connection has been closed here.
func (c *Conn) claim() (luggage baggage, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	luggage = c.in.luggage
	c.in.luggage = baggage{}
	return luggage, c.closed
}

// errLetGo: a sender closes its end of the pipe before it lets go of copies that nobody has acknowledged (see abandon), and then other files
// may get their values. So what has been pulled is what was sent if that end is open still, which an acknowledgement shows that it
// takes; else it may be anything, or fail in any way.
var errLetGo = errors.New("the sender may have let go of the descriptors")

// adopted lets the goodbye be said.
func (c *Conn) adopted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.adopting = false
	c.in.cond.Broadcast()
}

// receiveRoute returns how descriptors come from the peer, which must have said that it is ready first.
func (c *Conn) receiveRoute() (rights.Route, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.out.shift.Agreed() || c.out.recvRoute.Way == rights.Nobody {
		return rights.Route{}, errUnasked
	}
	return c.out.recvRoute, nil
}

// queueLocked gives a segment to the inbox. If nobody is there to read it at once, it moves into a
// buffer of its size.
func (c *Conn) queueLocked(s sock.Segment) error {
	if !c.in.waiting {
		fit(&s)
	}
	if c.in.embryo {
		s.Creds = c.in.writing()
	}
	wake, err := c.in.box.Put(s)
	if wake && c.in.waiting {
		c.in.turn.served = true
		c.in.cond.Signal()
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
func (c *Conn) adminLocked(p *wire.Packet) error {
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
		return c.peerRefusesLocked(p)
	}
	c.mu.Unlock() // the others concern more than this connection
	defer c.mu.Lock()
	switch p.Type {
	case wire.Cancel:
		return c.peerCancels(p)
	case wire.Move:
		return c.peerMoves(p)
	case wire.Hello:
		return c.rehello(p)
	}
	return errUnexpected
}

func (c *Conn) peerAcknowledgesLocked(serial uint64) error {
	c.servedLocked()
	if c.out.box.Gone() && c.out.box.Outstanding() == 0 {
		return nil // it was severed by a goodbye that overtook us
	}
	defer c.settleLocked()
	return c.out.box.Ack(serial)
}

func (c *Conn) peerCreditsLocked(p *wire.Packet) error {
	body, err := wire.ParseCredit(p.Payload)
	if err != nil {
		return err
	}
	c.servedLocked()
	return c.out.box.Credit(sock.Credit{Consumed: body.Consumed, Rights: body.Rights})
}

// servedLocked wakes whoever waits for the sending half, which is about to change.
func (c *Conn) servedLocked() {
	c.out.cond.Broadcast()
	t := &c.in.turn
	t.served = t.served || t.needed > 0
}

func (c *Conn) peerOptionsLocked(p *wire.Packet) error {
	window, err := wire.ParseOptions(p.Payload)
	if err == nil {
		err = c.in.box.SetWindow(window)
	}
	if err != nil {
		return err
	}
	c.out.peerPass = p.Flags&wire.PassCredentials != 0
	switch {
	case len(p.Name) == 0:
	case c.link == nil:
		c.namedLocked(string(p.Name))
	default:
		c.mu.Unlock()
		c.link.named(p.Name)
		c.mu.Lock()
	}
	c.in.naming = c.out.peerPass && c.in.peerName == ""
	c.creditWhatIsDueLocked() // a smaller window may be full of what has been read
	if p.Serial != 0 {
		c.acknowledgeLocked(p.Serial)
	}
	return nil
}

func (c *Conn) peerShutdownLocked(p *wire.Packet) {
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
		c.acknowledgeLocked(p.Serial)
	}
}

// peerClosedLocked notes that the peer's socket is closed: what it sent can be read, what is sent
// to it is lost.
func (c *Conn) peerClosedLocked(reset bool) {
	c.awaitPenLocked()
	c.out.parted = true
	c.out.box.Farewell()
	c.settleLocked()
	c.out.cond.Broadcast()
	c.out.nudgeGuests()
	if reset {
		c.in.box.Reset()
	} else {
		c.in.box.Leave()
	}
	c.in.cond.Broadcast()
}

// unclaimed closes luggage whose message will not come. Its sender takes back what he can if he has
// heard our goodbye.
func (c *Conn) unclaimed() {
	left, _ := c.claim()
	route, err := c.receiveRoute()
	if err != nil || left.empty() {
		return
	}
	c.lockToWrite()
	said := c.saidGoodbyeLocked()
	c.mu.Unlock()
	if said {
		rights.DiscardExported(c.table, c.pipe, route, left.records, left.n)
	} else {
		rights.Discard(c.table, c.pipe, route, left.records, left.n)
	}
}

// bereaveLocked ends sending. If the peer has not ended, it returns what is to be released by
// abandon. The caller has called lockToWrite.
func (c *Conn) bereaveLocked(peerEnded bool) (left []sock.Parked) {
	c.out.final = true
	if peerEnded {
		c.out.box.Bury()
	} else {
		left = c.out.box.Sever()
	}
	c.out.silence()
	return left
}

// abandon closes this end, and then lets go of what is parked for a peer that may live: else it could pull whatever has got the values since,
// and take it for what was sent (see errLetGo).
func (c *Conn) abandon(left []sock.Parked) error {
	if len(left) == 0 {
		return c.pipe.Close()
	}
	err := c.pipe.Hangup()
	for _, p := range left {
		(*message)(p.(*parked)).copies().Release()
	}
	return err
}

// takeLeftLocked returns what is to be let go of when the pipe is closed, which the caller does.
func (c *Conn) takeLeftLocked() (left []sock.Parked) {
	left, c.out.left = c.out.left, nil
	return left
}

// takesItsCarrier reports whether a message that has been written takes the end along over which it
// goes. The descriptor of that has been duplicated.
func takesItsCarrier(p sock.Parked) bool { return (*message)(p.(*parked)).parcel.itself() }

// ended notes that no packet will come any more: io.EOF, or why the connection broke.
func (c *Conn) ended(err error) {
	c.unclaimed()
	c.lockToWrite()
	left := c.bereaveLocked(err == io.EOF)
	c.settleLocked()
	switch {
	case err == io.EOF:
		c.in.box.Finish()
	case c.in.failure == nil:
		c.in.failure = failure(err)
		c.in.box.Fail()
	}
	c.in.cond.Broadcast()
	unplug := err != io.EOF || len(left) > 0
	if c.in.paused && !slices.ContainsFunc(left, takesItsCarrier) { // whoever moves this end has its descriptor: see stay and dispose
		c.out.left = append(c.out.left, left...)
		unplug = false
	}
	c.mu.Unlock()
	switch {
	case !unplug:
	case len(left) > 0:
		go c.abandon(left)
	default:
		c.pipe.Close() // nothing more is to be said to such a peer
	}
	if c.link != nil {
		c.link.socket.ended(c)
	}
}
