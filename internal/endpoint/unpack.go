package endpoint

import (
	"cmp"
	"errors"
	"fmt"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// An unpacker makes ends that have moved here of what came with their message. What it is told is bounded and checked, but it is about
// the mover's own sockets: a lie breaks nothing but these.
type unpacker struct {
	c     *Conn // that the message came over
	route rights.Route
	baggage
}

func badLuggage(format string, args ...any) error {
	return fmt.Errorf("%w: %w", rights.ErrRecord, fmt.Errorf(format, args...))
}

// message adopts the descriptors of a message, and what its ends have taken along.
func (u *unpacker) message(p *wire.Packet) (*descriptor.Set, error) {
	set, err := rights.Adopt(u.c.table, u.c.pipe, u.route, p.Ancillary, p.Records, u.open)
	if err == nil && (u.n > 0 || len(u.states) > 0) {
		set.Discard()
		err = badLuggage("%d descriptors and %d bytes of luggage that belong to nothing", u.n, len(u.states))
	}
	if err != nil {
		u.discard()
		return nil, err
	}
	return set, nil
}

// discard closes descriptors that nobody will have.
func (u *unpacker) discard() {
	rights.Discard(u.c.table, u.c.pipe, u.route, u.records, u.n)
	u.baggage = baggage{}
}

// next adopts the next n descriptors.
func (u *unpacker) next(n int) (*descriptor.Set, error) {
	block, err := u.block(n)
	if err != nil {
		return nil, err
	}
	return rights.Adopt(u.c.table, u.c.pipe, u.route, block, n, u.open)
}

// block takes the records of the next n descriptors.
func (u *unpacker) block(n int) ([]byte, error) {
	if n > u.n {
		return nil, badLuggage("%d descriptors where %d were announced", u.n, n)
	}
	rest := u.records
	for range n {
		var err error
		if _, rest, err = wire.ParseRecord(rest); err != nil {
			return nil, badLuggage("%v", err)
		}
	}
	block := u.records[:len(u.records)-len(rest)]
	u.records, u.n = rest, u.n-n
	return block, nil
}

// handle adopts the descriptor of the first record of block, which belongs to an end that is made of several.
func (u *unpacker) handle(block []byte) (v uintptr, rest []byte, err error) {
	r, rest, err := wire.ParseRecord(block)
	if err == nil && r.Owner != wire.End {
		err = badLuggage("owner %d of a part of an end", r.Owner)
	}
	if err == nil {
		v, err = rights.AdoptPart(u.c.table, u.c.pipe, u.route, r)
	}
	return v, rest, err
}

// open makes the next end: see rights.Opener.
func (u *unpacker) open(v uintptr, k descriptor.Kind) (descriptor.End, error) {
	e, err := u.end(v, k)
	if err != nil {
		return nil, badState(err)
	}
	return e, nil
}

// end is open, but what it returns beside an error is nothing that could be compared with nil.
func (u *unpacker) end(v uintptr, k descriptor.Kind) (mover, error) {
	tag, rest, err := wire.ParseTag(u.states)
	if err == nil && u.c.world == nil {
		err = badLuggage("ends cannot come here")
	}
	u.states = rest
	switch {
	case err != nil:
	case tag == wire.ConnTag && k == descriptor.Unix && v != 0:
		return u.connOrPacketConn(v)
	case tag == wire.ListenerTag && k == descriptor.UnixListener && v != 0:
		return u.listener(v, nil)
	case tag == wire.PacketTag && k == descriptor.Unix && v == 0:
		return u.packetConn()
	default:
		err = badLuggage("state %d of a descriptor of kind %d", tag, k)
	}
	u.close(v, k)
	return nil, err
}

// badState blames the peer for what is wrong with a state. That there is no room, or no peer any more, is not its fault.
func badState(err error) error {
	switch err {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ESRCH, descriptor.ErrRightsTruncated:
		return err
	}
	if errors.Is(err, rights.ErrRecord) {
		return err
	}
	return badLuggage("%w", err)
}

func (u *unpacker) close(v uintptr, k descriptor.Kind) {
	if v != 0 {
		descriptor.Discard(u.c.table, v, descriptor.EndKind(k)) // it was to become an end, and does not
	}
}

// connOrPacketConn makes a connection. But one of a pair of datagram sockets that has lost its peer is a socket like any other that is not
// connected.
func (u *unpacker) connOrPacketConn(v uintptr) (mover, error) {
	s, rest, err := wire.ParseConnState(u.states)
	if err != nil || sock.Type(s.SocketType) != sock.Datagram || s.Flags&wire.ConnApart == 0 {
		return u.conn(v, nil)
	}
	u.close(v, descriptor.Unix)
	if len(s.Segments) > 0 {
		return nil, badLuggage("datagrams of a socket that has lost its peer")
	}
	u.states = rest
	p := newPacketConn(u.c.world.Network, Config{Table: u.c.table, World: u.c.world})
	p.started = false
	p.mute, p.pass = s.Flags&wire.OutShut != 0, s.Flags&wire.ConnPass != 0
	if s.Flags&wire.InShut != 0 {
		p.mail.Shut()
	}
	p.out.buffer = bufferSize(int(s.Buffer))
	return p, nil
}

// conn makes a connection, which is not live yet. A link belongs to a socket.
func (u *unpacker) conn(v uintptr, socket *PacketConn) (*Conn, error) {
	s, rest, err := wire.ParseConnState(u.states)
	if err == nil {
		err = checkConn(&s, socket != nil)
	}
	if err != nil {
		u.close(v, descriptor.Unix)
		return nil, err
	}
	u.states = rest
	p, err := u.c.world.System.OpenPipe(v, s.Flags&wire.ConnServer != 0)
	if err != nil {
		return nil, err
	}
	c, err := u.assemble(p, &s, socket)
	if err != nil {
		p.Close()
		return nil, err
	}
	return c, nil
}

// assemble makes a connection of its parts.
func (u *unpacker) assemble(p pipe.Pipe, s *wire.ConnState, socket *PacketConn) (*Conn, error) {
	has := func(flag uint32) bool { return s.Flags&flag != 0 }
	cfg := Config{Type: sock.Type(s.SocketType), Table: u.c.table, World: u.c.world, socket: socket}
	if c := u.c.world.Autobind; c != nil && s.Chosen == "" && s.Local == noName {
		cfg.Autobind = c(cfg.Type)
	}
	c := newConn(p, cfg, has(wire.ConnServer), 0)
	c.id, c.peerID = s.ID, s.PeerID
	c.local = address(c.typ, cmp.Or(s.Chosen, s.Local)) // whoever gets a socket looks what it is called now
	c.remote = address(c.typ, cmp.Or(s.PeerName, s.Remote))
	opener, err := p.Opener()
	if err != nil {
		return nil, err
	}
	if c.out.box, err = sock.RestoreOutbox(c.typ, sock.OutboxState{
		Shut: has(wire.OutShut), Deaf: has(wire.OutDeaf), Gone: has(wire.OutGone),
		Sent: s.Sent, Consumed: s.SentConsumed, Buffer: s.Buffer,
		RightsSent: s.RightsSent, RightsLimit: s.RightsLimit, Serial: s.Serial,
	}); err != nil {
		return nil, err
	}
	o := &c.out
	c.pass = has(wire.ConnPass)
	o.opener, o.peerPass = opener, has(wire.ConnPeerPass)
	o.severed = has(wire.ConnAlone)
	o.owed.name = []byte(s.Chosen)
	o.owed.window, o.owed.pass = o.box.Window(), c.pass
	o.shift.Arrive(has(wire.ConnShifting), has(wire.ConnDeferred))
	if !o.severed && !o.box.Gone() {
		if err := c.introduce(); err != nil {
			return nil, err
		}
	}
	if err := u.fill(c, s); err != nil {
		return nil, err
	}
	return c, nil
}

// introduce gets ready for the hello of whoever has the other end, and says ours, unless that waits
// for it.
func (c *Conn) introduce() error {
	proof, err := c.pipe.Proof()
	if err == nil {
		err = c.pipe.Expect()
	}
	if err == nil && !c.out.shift.Waits() {
		c.greetLocked(proof) // nobody else knows c yet
	}
	return err
}

// fill makes the receiving half of c.
func (u *unpacker) fill(c *Conn, s *wire.ConnState) error {
	has := func(flag uint32) bool { return s.Flags&flag != 0 }
	in := &c.in
	in.started, in.claimed, in.untaken = false, true, true
	in.embryo, in.naming, in.peerName = has(wire.ConnEmbryo), has(wire.ConnNaming), s.PeerName
	mover := u.c.current()
	for _, w := range s.Writers {
		in.writers = append(in.writers, believed(w, mover))
	}
	if len(in.writers) == 0 {
		in.writers = append(in.writers, nobody)
	}
	if has(wire.InFailed) {
		in.failure = errBroken
	}
	segments, err := u.segments(s, len(in.writers))
	if err == nil {
		in.box, err = sock.RestoreInbox(c.typ, sock.InboxState{
			Shut: has(wire.InShut), Ended: has(wire.InEnded), Gone: has(wire.InGone),
			Reset: has(wire.InReset), Failed: has(wire.InFailed),
			Arrived: s.Arrived, Consumed: s.Consumed, Reported: s.Reported, Window: s.InWindow,
			RightsArrived: s.RightsArrived, RightsConsumed: s.RightsConsumed,
			RightsGranted: s.RightsGranted, RightsWindow: s.RightsWindow,
			Message: s.Message, Pieces: s.Pieces,
		}, segments)
	}
	if err != nil {
		for i := range segments {
			if segments[i].Rights != nil {
				segments[i].Rights.Discard()
			}
		}
		return err
	}
	in.box.TellApart(c.pass)
	for i := range segments {
		in.nested = append(in.nested, ends(&segments[i])...)
	}
	if l := c.link; l != nil {
		l.sender, l.offering = s.Sender, s.Offering
		l.mail.Restore(sock.LinkState{Over: has(wire.ConnOver), Queued: int(s.Queued), Offers: s.Offers})
	}
	return nil
}

// Taken takes in what the peer has said before: it may have chosen a name.
func (c *Conn) Taken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUpLocked()
	c.in.untaken = false
}

// Taken has nothing to see: a listener's name does not change.
func (l *Listener) Taken() {}

// Taken has nothing to see: nobody looks at the name again (row 75).
func (s *PacketConn) Taken() {}

// errBroken: the connection was broken before its end moved. Nobody here knows by whom, so that it
// is not said to be the peer's fault.
var errBroken = fmt.Errorf("%w: broken before it moved here", syscall.EIO)

// segments makes the queue of a connection that has had so many writers. Also with an error the caller owns what is returned.
func (u *unpacker) segments(s *wire.ConnState, writers int) (segments []sock.Segment, err error) {
	for i := range s.Segments {
		from := &s.Segments[i]
		to := sock.Segment{
			Data:      append([]byte(nil), from.Data...),
			Creds:     from.Writer,
			More:      from.Flags&wire.SegmentMore != 0,
			Continued: from.Flags&wire.SegmentContinued != 0,
			Lost:      from.Flags&wire.SegmentLost != 0,
		}
		if int(from.Writer) > writers {
			return segments, badLuggage("bytes of writer %d of %d", from.Writer, writers)
		}
		if from.Rights > 0 {
			set, err := u.next(int(from.Rights))
			if err != nil {
				return segments, err
			}
			to.Rights = set
		}
		segments = append(segments, to)
	}
	return segments, nil
}

// current is the process that has the other end of c now, as the system says.
func (c *Conn) current() cred.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.in.writer(c.in.writing())
}

// believed returns whom a mover says bytes in a queue are from, if he could have written them himself as that user, and of that group: he is
// both, or root. Else they are nobody's.
func believed(w wire.Writer, mover cred.Credentials) cred.Credentials {
	who := cred.Credentials{PID: int(w.PID), UID: int(w.UID), GID: int(w.GID), SID: w.SID}
	if mover.UID == 0 || who.UID == mover.UID && who.GID == mover.GID && who.SID == mover.SID {
		return who
	}
	return nobody
}
