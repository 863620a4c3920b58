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
	s, err := u.connState(v)
	switch {
	case err != nil:
		return nil, err
	case s.End.Type == sock.Datagram && s.Out.Peer == sock.Apart:
		u.close(v, descriptor.Unix)
		return u.parted(&s)
	}
	return u.connOf(v, &s, nil)
}

// parted makes a datagram socket of one of a pair, which has lost its peer.
func (u *unpacker) parted(s *sock.ConnState) (*PacketConn, error) {
	if len(s.Segments) > 0 {
		return nil, badLuggage("datagrams of a socket that has lost its peer")
	}
	p := newPacketConn(u.c.world.Network, Config{Table: u.c.table, World: u.c.world})
	p.started = false
	p.mute, p.pass = s.Out.Shut, s.End.Pass
	if s.In.Shut {
		p.mail.Shut()
	}
	p.out.buffer = bufferSize(int(s.Out.Buffer))
	return p, nil
}

// conn makes a connection, which is not live yet. It owns v. A link belongs to a socket.
func (u *unpacker) conn(v uintptr, socket *PacketConn) (*Conn, error) {
	s, err := u.connState(v)
	if err != nil {
		return nil, err
	}
	return u.connOf(v, &s, socket)
}

// connState takes the next state, of a connection, and closes its descriptor v if there is none.
func (u *unpacker) connState(v uintptr) (s sock.ConnState, err error) {
	if s, u.states, err = wire.ParseConn(u.states); err != nil {
		u.close(v, descriptor.Unix)
	}
	return s, err
}

// connOf makes a connection of its descriptor and its state.
func (u *unpacker) connOf(v uintptr, s *sock.ConnState, socket *PacketConn) (*Conn, error) {
	if err := checkConn(s, socket != nil); err != nil {
		u.close(v, descriptor.Unix)
		return nil, err
	}
	p, err := u.c.world.System.OpenPipe(v, s.End.Server)
	if err != nil {
		return nil, err
	}
	c, err := u.assemble(p, s, socket)
	if err != nil {
		p.Close()
		return nil, err
	}
	return c, nil
}

// assemble makes a connection of its parts.
func (u *unpacker) assemble(p pipe.Pipe, s *sock.ConnState, socket *PacketConn) (*Conn, error) {
	end := &s.End
	cfg := Config{Type: end.Type, Table: u.c.table, World: u.c.world, socket: socket}
	if c := u.c.world.Autobind; c != nil && end.Chosen == "" && end.Local == noName {
		cfg.Autobind = c(cfg.Type)
	}
	c := newConn(p, cfg, end.Server, 0)
	c.id, c.peerID = end.ID, end.PeerID
	c.local = address(c.typ, cmp.Or(end.Chosen, end.Local)) // whoever gets a socket looks what it is called now
	c.remote = address(c.typ, cmp.Or(end.PeerName, end.Remote))
	opener, err := p.Opener()
	if err != nil {
		return nil, err
	}
	if c.out.box, err = sock.RestoreOutbox(c.typ, s.Out); err != nil {
		return nil, err
	}
	o := &c.out
	c.pass = end.Pass
	o.opener, o.peerPass = opener, end.PeerPass
	o.severed = end.Alone
	o.owed.name = []byte(end.Chosen)
	o.owed.window, o.owed.pass = o.box.Window(), c.pass
	o.shift.Arrive(s.Shift)
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
func (u *unpacker) fill(c *Conn, s *sock.ConnState) error {
	in, end := &c.in, &s.End
	in.started, in.claimed, in.untaken = false, true, true
	in.embryo, in.naming, in.peerName = end.Embryo, end.Naming, end.PeerName
	mover := u.c.current()
	for _, w := range end.Writers {
		in.writers = append(in.writers, believed(w, mover))
	}
	if len(in.writers) == 0 {
		in.writers = append(in.writers, nobody)
	}
	if s.In.Failed {
		in.failure = errBroken
	}
	err := u.claim(s.Segments, len(in.writers))
	if err == nil {
		in.box, err = sock.RestoreInbox(c.typ, s.In, s.Segments)
	}
	if err != nil {
		for i := range s.Segments {
			if r := s.Segments[i].Rights; r != nil {
				r.Discard()
			}
		}
		return err
	}
	in.box.TellApart(c.pass)
	for i := range s.Segments {
		in.nested = append(in.nested, ends(&s.Segments[i])...)
	}
	if l := c.link; l != nil {
		l.mail.Restore(s.Link)
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

// claim makes what was announced of a queue the queue of a connection that has had so many writers: its bytes are its own from here on,
// and its descriptors adopted. Also with an error the caller owns those.
func (u *unpacker) claim(segments []sock.Segment, writers int) error {
	for i := range segments {
		s := &segments[i]
		s.Data = append([]byte(nil), s.Data...)
		if int64(s.Creds) > int64(writers) {
			return badLuggage("bytes of writer %d of %d", s.Creds, writers)
		}
		if s.Rights == nil {
			continue
		}
		set, err := u.next(s.Rights.Len())
		if err != nil {
			return err
		}
		s.Rights = set
	}
	return nil
}

// current is the process that has the other end of c now, as the system says.
func (c *Conn) current() cred.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.in.writer(c.in.writing())
}

// believed returns whom a mover says bytes in a queue are from, if he could have written them himself as that user, and of that group: he is
// both, or root. Else they are nobody's.
func believed(w sock.Writer, mover cred.Credentials) cred.Credentials {
	who := cred.Credentials{PID: int(w.PID), UID: int(w.UID), GID: int(w.GID), SID: w.SID}
	if mover.UID == 0 || who.UID == mover.UID && who.GID == mover.GID && who.SID == mover.SID {
		return who
	}
	return nobody
}
