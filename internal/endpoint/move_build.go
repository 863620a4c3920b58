package endpoint

import (
	"cmp"
	"fmt"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about ends that have moved here (P8): see move.Incoming. What a state says is
// checked in states.go, and its numbers by package sock.

// A builder makes ends of what has come over a connection.
type builder struct {
	c  *session
	in *move.Incoming
}

// receiveEnds returns what makes ends of luggage that has come over c.
func (c *session) receiveEnds(l move.Luggage, route rights.Route) *move.Incoming {
	if c.world == nil {
		return move.Receive(l, c.table, c.pipe, route, nil)
	}
	return move.Receive(l, c.table, c.pipe, route, receiver{c})
}

// A receiver makes ends of whatever kind: see move.Builder.
type receiver struct{ c *session }

func (r receiver) Build(in *move.Incoming, tag wire.Tag, v uintptr) (move.End, error) {
	b := builder{r.c, in}
	switch tag {
	case wire.ConnTag:
		return b.connOrPacketConn(v)
	case wire.ListenerTag:
		return b.listener(v)
	}
	return b.packetConn()
}

// connOrPacketConn makes a connection. But one of a pair of datagram sockets that has lost its peer
// is a socket like any other that is not connected.
func (b builder) connOrPacketConn(v uintptr) (move.End, error) {
	s, err := b.in.Conn(v)
	switch {
	case err != nil:
		return nil, err
	case s.End.Type == sock.Datagram && s.Out.Peer == sock.Apart:
		b.in.Close(v, descriptor.Unix)
		return b.parted(&s)
	}
	return restore(b, v, &s, checkConn, newConn)
}

// parted makes a datagram socket of one of a pair, which has lost its peer.
func (b builder) parted(s *sock.ConnState) (*PacketConn, error) {
	if len(s.Segments) > 0 {
		return nil, move.Bad("datagrams of a socket that has lost its peer")
	}
	p := newPacketConn(b.c.world.Network, Config{Table: b.c.table, World: b.c.world})
	p.started = false
	p.mute, p.pass = s.Out.Shut, s.End.Pass
	if s.End.Chosen != "" {
		p.bound, p.local = []byte(s.End.Chosen), address(sock.Datagram, s.End.Chosen)
	}
	if s.In.Shut {
		p.in.mail.Shut()
	}
	p.out.buffer = bufferSize(int(s.Out.Buffer))
	return p, nil
}

// conn makes a connection, which is not live yet. It owns v.
func (b builder) conn(v uintptr) (*Conn, error) { return restored(b, v, checkConn, newConn) }

// restored makes a session of its descriptor and the next state, which is not live yet, with what
// make puts above it.
func restored[C client](b builder, v uintptr, check func(*sock.ConnState) error, make maker[C]) (none C, err error) {
	s, err := b.in.Conn(v)
	if err != nil {
		return none, err
	}
	return restore(b, v, &s, check, make)
}

// restore makes a session of its descriptor and its state.
func restore[C client](b builder, v uintptr, s *sock.ConnState, check func(*sock.ConnState) error, make maker[C]) (none C, err error) {
	if err := check(s); err != nil {
		b.in.Close(v, descriptor.Unix)
		return none, err
	}
	p, err := b.c.world.System.OpenPipe(v, s.End.Server)
	if err != nil {
		return none, err
	}
	cfg := Config{Type: s.End.Type, Table: b.c.table, World: b.c.world}
	if c := b.c.world.Autobind; c != nil && s.End.Chosen == "" && s.End.Local == noName {
		cfg.Autobind = c(cfg.Type)
	}
	c := make(p, cfg, s.End.Server, 0)
	if err := b.assemble(c.base(), s); err != nil {
		p.Close()
		return none, err
	}
	return c, nil
}

// assemble gives c its state.
func (b builder) assemble(c *session, s *sock.ConnState) error {
	end := &s.End
	c.id, c.peer.id = end.ID, end.PeerID
	c.local = address(c.typ, cmp.Or(end.Chosen, end.Local)) // whoever gets a socket looks what it is called now
	c.remote = address(c.typ, cmp.Or(end.PeerName, end.Remote))
	opener, err := c.pipe.Opener()
	if err != nil {
		return err
	}
	if c.out.box, err = sock.RestoreOutbox(c.typ, s.Out); err != nil {
		return err
	}
	o := &c.out
	c.pass = end.Pass
	c.peer.opener, c.peer.pass = opener, end.PeerPass
	if end.Alone {
		c.pen.severLocked()
	}
	c.pen.owed.name = []byte(end.Chosen)
	c.moves.Arrive(s.Moves)
	if !c.pen.severed() && !o.box.Gone() {
		if err := c.introduce(); err != nil {
			return err
		}
	}
	return b.fill(c, s)
}

// fill makes the receiving half of c.
func (b builder) fill(c *session, s *sock.ConnState) error {
	in, end := &c.in, &s.End
	c.stage, c.peer.alleged, c.custody = unborn, true, untaken
	if end.Embryo {
		c.custody = embryo
	}
	c.peer.naming, c.peer.name = end.Naming, end.PeerName
	mover := b.c.current()
	for _, w := range end.Writers {
		c.peer.writers = append(c.peer.writers, believed(w, mover))
	}
	if len(c.peer.writers) == 0 {
		c.peer.writers = append(c.peer.writers, nobody)
	}
	if s.In.Failed {
		in.failure = errBroken
	}
	err := b.in.Queue(s.Segments, len(c.peer.writers))
	if err != nil {
		return err
	}
	if in.box, err = sock.RestoreInbox(c.typ, s.In, s.Segments); err != nil {
		move.DiscardQueue(s.Segments)
		return err
	}
	in.box.TellApart(c.pass)
	for i := range s.Segments {
		c.moves.nested = append(c.moves.nested, move.Ends(s.Segments[i].Rights)...)
	}
	c.above.restore(s.Link)
	return nil
}

// errBroken: the connection was broken before its end moved. Nobody here knows by whom, so that it
// is not said to be the peer's fault.
var errBroken = fmt.Errorf("%w: broken before it moved here", syscall.EIO)

// believed returns whom a mover says bytes in a queue are from, if he could have written them
// himself as that user, and of that group: he is both, or root. Else they are nobody's.
func believed(w sock.Writer, mover cred.Credentials) cred.Credentials {
	who := cred.Credentials{PID: int(w.PID), UID: int(w.UID), GID: int(w.GID), SID: w.SID}
	if mover.UID == 0 || who.UID == mover.UID && who.GID == mover.GID && who.SID == mover.SID {
		return who
	}
	return nobody
}

// listener makes a listener that has moved here, and does not accept yet. It owns v.
func (b builder) listener(v uintptr) (*Listener, error) {
	l := new(Listener)
	if err := buildDoor(b, v, &l.door, checkListener, newConn, b.conn); err != nil {
		return nil, err
	}
	return l, nil
}

// door makes the door of a datagram socket that has moved here, which lets nobody in yet. It owns
// v.
func (b builder) door(v uintptr, socket *PacketConn) (*door[*link], error) {
	l := new(door[*link])
	if err := buildDoor(b, v, l, checkLinks, socket.newLink, b.noLink); err != nil {
		return nil, err
	}
	return l, nil
}

// noLink refuses a link that nobody has taken in: those that move belong to the socket by then. It
// owns v.
func (b builder) noLink(v uintptr) (*link, error) {
	b.in.Close(v, descriptor.Unix)
	return nil, move.Bad("a link that nobody has taken in")
}

// buildDoor opens l. next makes its next client, of one that has said hello.
func buildDoor[C client](b builder, v uintptr, l *door[C], check func(*sock.ListenerState) error,
	make maker[C], next func(uintptr) (C, error),
) error {
	s, err := b.in.Listener(v)
	if err != nil {
		return err
	}
	if err := check(&s); err != nil {
		b.in.Close(v, descriptor.UnixListener)
		return err
	}
	handles, err := b.in.Handles(v, int(s.Handles))
	if err != nil {
		return err
	}
	source, err := b.c.world.System.OpenSource(handles, s.Source)
	if err != nil {
		return err
	}
	source.SetUnlinkOnClose(false) // as one that the kernel has handed over
	cfg := Config{Type: s.Type, Local: localName(&s, source), Table: b.c.table, World: b.c.world}
	l.open(source, cfg, int(s.Backlog), make)
	for range s.Clients {
		if err := buildClient(b, l, next); err != nil {
			l.Close()
			return err
		}
	}
	return nil
}

// localName is the name of a listener that has moved: that of its state, unless it was too long for
// that; then the source may know it.
func localName(s *sock.ListenerState, source pipe.Source) string {
	if named, ok := source.(pipe.Named); ok && s.Local == "" {
		return named.Name()
	}
	return s.Local
}

// buildClient makes the next client of l.
func buildClient[C client](b builder, l *door[C], next func(uintptr) (C, error)) error {
	v, tag, err := b.in.Client()
	if err != nil {
		return err
	}
	if tag == wire.PipeTag {
		p, err := b.c.world.System.OpenPipe(v, true)
		if err == nil {
			l.silent = append(l.silent, p)
		}
		return err
	}
	c, err := next(v)
	if err != nil {
		return err
	}
	l.backlog.Restore(c)
	if t := c.base().typ; t != l.cfg.Type {
		return move.Bad("a client of type %d of a listener of type %d", t, l.cfg.Type)
	}
	return nil
}

// packetConn makes a datagram socket that has moved here, and is not live yet.
func (b builder) packetConn() (*PacketConn, error) {
	state, err := b.in.Packet()
	if err == nil {
		err = checkPacketConn(&state, b.in.Left())
	}
	if err != nil {
		return nil, err
	}
	s := newPacketConn(b.c.world.Network, Config{Table: b.c.table, World: b.c.world})
	s.started = false
	if err := b.furnish(s, &state); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// furnish gives a socket its state, its listener and its links.
func (b builder) furnish(s *PacketConn, state *sock.PacketState) error {
	s.id, s.peerID = state.ID, state.PeerID
	s.mute, s.pass = state.Mute, state.Pass
	s.bound, s.local = []byte(state.Bound), address(sock.Datagram, cmp.Or(state.Bound, state.Local))
	s.out.buffer = bufferSize(int(state.Buffer))
	if state.Remote != "" && state.Mail.Peer != sock.Apart {
		s.remote = address(sock.Datagram, state.Remote)
	}
	if state.Listens {
		if err := b.listens(s); err != nil {
			return err
		}
	}
	for i := range state.Links {
		c, err := b.link(s)
		if err != nil {
			return err
		}
		s.links = append(s.links, c)
		if i == 0 && state.PeerLink {
			s.peer = c
		} else {
			s.in.mail.Attach(&c.mail)
		}
	}
	if s.peer != nil && state.Mail.Peer != sock.Apart {
		state.Mail.Peer = sock.Connected
	}
	err := s.in.mail.Restore(state.Mail, mails(s.links), state.Order, func(c *link) int { return c.in.box.Records() })
	if err != nil {
		return move.Bad("%w", err)
	}
	return nil
}

// listens makes the door of s.
func (b builder) listens(s *PacketConn) error {
	v, err := b.in.Part(wire.ListenerTag)
	if err == nil {
		s.door, err = b.door(v, s)
	}
	return err
}

// link makes the next link of s.
func (b builder) link(s *PacketConn) (*link, error) {
	v, err := b.in.Part(wire.ConnTag)
	if err != nil {
		return nil, err
	}
	return restored(b, v, checkLink, s.newLink)
}
