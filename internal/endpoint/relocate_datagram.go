package endpoint

import (
	"cmp"
	"net"
	"os"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about a datagram socket that moves to another process (P8): its listener, the links on which datagrams come to it, and the
// one to the socket that it is connected to. Other links on which it sends are closed; the new owner opens some when it needs them.

// packetMove is what a datagram socket knows of its move. It is guarded by PacketConn.mu.
type packetMove struct {
	started bool    // false: it has moved here, and its former owner has not been told
	sends   int     // sends that are under way
	nudged  bool    // the mover has to look around
	links   []*Conn // that move with it; the first one is the peer, if it has one
}

func (s *PacketConn) receives(id uint64) bool { return s.id == id }

func (s *PacketConn) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nudged = true
	s.cond.Broadcast()
}

// enter begins a send, as soon as the socket does not move.
func (s *PacketConn) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.mail.Moving() || !s.started {
		switch {
		case s.mail.Closed():
			return net.ErrClosed
		case s.out.late():
			return os.ErrDeadlineExceeded
		}
		s.cond.Wait()
	}
	s.sends++
	return nil
}

// expire ends what a send waits for whose deadline has come: a dial, or the end of a move. The caller holds out.mu, which comes after mu.
func (s *PacketConn) expire() {
	s.out.expire()
	go func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cond.Broadcast()
	}()
}

func (s *PacketConn) exit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sends--; s.mail.Moving() {
		s.cond.Broadcast()
	}
}

func (s *PacketConn) begin(d *departure) error {
	if err := s.pause(d); err != nil {
		return err
	}
	s.mu.Lock()
	err := s.awaitSends(d)
	listener := s.listener
	s.mu.Unlock()
	for _, c := range s.out.forget() {
		c.Close()
	}
	var arrivals []*Conn
	if err == nil && listener != nil {
		if err = d.begin(listener); err == nil {
			arrivals = listener.takeAll()
		}
	}
	var links []*Conn
	if err == nil {
		links, err = s.beginLinks(d)
	}
	for _, c := range arrivals {
		c.accepted()
	}
	s.mu.Lock()
	for _, c := range arrivals { // they have begun to move with the listener
		s.mail.Attach(&c.link.mail)
	}
	s.links = append(links, arrivals...)
	s.mu.Unlock()
	if err != nil {
		s.stay()
	}
	return err
}

// pause makes the socket neither receive nor send anything new.
func (s *PacketConn) pause(d *departure) error {
	s.mu.Lock()
	defer s.unlock()
	err := d.watch(&s.cond, &s.nudged, func() bool { return s.started || s.mail.Closed() })
	switch {
	case err != nil:
		return err
	case s.mail.Closed() || s.mail.Moving():
		return syscall.EBADF
	case s.peer != nil && d.carrier == s.peer:
		return descriptor.ErrNotSendable // its receiver could not tell who reads the link
	}
	s.mail.Move()
	s.cond.Broadcast()
	return nil
}

// beginLinks begins to move the links. One that has been closed meanwhile was of no use any more.
func (s *PacketConn) beginLinks(d *departure) (links []*Conn, err error) {
	for _, c := range s.attached() {
		switch err := d.begin(c); err {
		case nil:
			links = append(links, c)
		case syscall.EBADF:
		default:
			return links, err
		}
	}
	return links, nil
}

// attached returns the links that move with the socket; the first one is the peer, if it has one.
func (s *PacketConn) attached() (links []*Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mail.Peer() == sock.Connected {
		links = append(links, s.peer)
	}
	for _, l := range s.mail.Links() {
		links = append(links, l.Conn)
	}
	return links
}

// awaitSends waits until no send is under way, as long as the carrier can send, but for the one that sends the socket itself. The caller
// holds mu.
func (s *PacketConn) awaitSends(d *departure) error {
	own := 0
	if c := d.carrier; c != nil && c.link != nil && c.link.socket == s {
		own = 1
	}
	return d.watch(&s.cond, &s.nudged, func() bool { return s.sends <= own })
}

func (s *PacketConn) ready(d *departure) error {
	if s.listener != nil {
		if err := s.listener.ready(d); err != nil {
			return err
		}
	}
	for _, c := range s.links {
		if err := c.ready(d); err != nil {
			return err
		}
	}
	return nil
}

func (s *PacketConn) pack(p *parcel) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	links := s.living()
	p.states = wire.AppendPacket(p.states, s.state(links))
	if l := s.listener; l != nil {
		p.addEnd(l.handles[0], descriptor.UnixListener)
		if err := l.pack(p); err != nil {
			return err
		}
	}
	for _, c := range links {
		if err := p.addConn(c); err != nil {
			return err
		}
	}
	return nil
}

// living returns the links that are still of use.
func (s *PacketConn) living() (links []*Conn) {
	for _, c := range s.links {
		if c.link.mail.Attached() || c == s.peer {
			links = append(links, c)
		}
	}
	return links
}

// state returns the state of a socket with these links. The caller holds mu.
func (s *PacketConn) state(links []*Conn) *sock.PacketState {
	p := &sock.PacketState{
		ID: s.id, PeerID: s.peerID, Local: s.local.Name, Bound: string(s.bound), Buffer: uint32(s.sendBuffer()), Mute: s.mute, Pass: s.pass,
		Listens: s.listener != nil, Links: uint32(len(links)), PeerLink: len(links) > 0 && links[0] == s.peer,
	}
	if s.remote != nil {
		p.Remote = s.remote.Name
	}
	p.Mail, p.Order = s.mail.Look(mails(links))
	return p
}

// mails are what the mailbox of a socket knows of these links.
func mails(links []*Conn) []*sock.Link[*Conn] {
	mails := make([]*sock.Link[*Conn], len(links))
	for i, c := range links {
		mails[i] = &c.link.mail
	}
	return mails
}

// stay makes the socket what it was. Its listener and its links are ends of the departure themselves.
func (s *PacketConn) stay() {
	s.mu.Lock()
	s.mail.Stay()
	s.links = nil
	closed := s.mail.Closed()
	s.cond.Broadcast()
	s.mu.Unlock()
	if closed {
		s.depose()
	}
}

// moved makes the socket behave as closed.
func (s *PacketConn) moved() {
	s.mu.Lock()
	s.mail.Leave()
	s.deadline.stop()
	s.cond.Broadcast()
	s.mu.Unlock()
	s.out.close()
	s.cancel()
}

func (s *PacketConn) release() {}

func (s *PacketConn) start() {
	s.mu.Lock()
	links := s.links
	s.links = nil
	listener := s.listener
	s.mu.Unlock()
	for _, c := range links {
		c.start()
	}
	s.mu.Lock()
	s.started = true // all that it is linked to has been told who sends from now on
	s.cond.Broadcast()
	s.mu.Unlock()
	if listener != nil {
		listener.start()
		go s.serve(listener)
	}
}

// packetConn makes a datagram socket that has moved here, and is not live yet.
func (u *unpacker) packetConn() (*PacketConn, error) {
	state, rest, err := wire.ParsePacket(u.states)
	if err == nil {
		err = checkPacketConn(&state, u.n)
	}
	if err != nil {
		return nil, err
	}
	u.states = rest
	s := newPacketConn(u.c.world.Network, Config{Table: u.c.table, World: u.c.world})
	s.started = false
	if err := u.furnish(s, &state); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// furnish gives a socket its state, its listener and its links.
func (u *unpacker) furnish(s *PacketConn, state *sock.PacketState) error {
	s.id, s.peerID = state.ID, state.PeerID
	s.mute, s.pass = state.Mute, state.Pass
	s.bound, s.local = []byte(state.Bound), address(sock.Datagram, cmp.Or(state.Bound, state.Local))
	s.out.buffer = bufferSize(int(state.Buffer))
	if state.Remote != "" && state.Mail.Peer != sock.Apart {
		s.remote = address(sock.Datagram, state.Remote)
	}
	if state.Listens {
		if err := u.listens(s); err != nil {
			return err
		}
	}
	for i := range state.Links {
		c, err := u.link(s)
		if err != nil {
			return err
		}
		s.links = append(s.links, c)
		if i == 0 && state.PeerLink {
			s.peer = c
		} else {
			s.mail.Attach(&c.link.mail)
		}
	}
	if s.peer != nil && state.Mail.Peer != sock.Apart {
		state.Mail.Peer = sock.Connected
	}
	err := s.mail.Restore(state.Mail, mails(s.links), state.Order, func(c *Conn) int { return c.in.box.Records() })
	if err != nil {
		return badLuggage("%w", err)
	}
	return nil
}

// listens makes the listener of s.
func (u *unpacker) listens(s *PacketConn) error {
	v, err := u.part(wire.ListenerTag)
	if err == nil {
		s.listener, err = u.listener(v, s)
	}
	return err
}

// link makes the next link of s.
func (u *unpacker) link(s *PacketConn) (*Conn, error) {
	v, err := u.part(wire.ConnTag)
	if err != nil {
		return nil, err
	}
	return u.conn(v, s)
}

// part adopts the descriptor of the next part of an end, of which a state with this tag follows.
func (u *unpacker) part(want wire.Tag) (uintptr, error) {
	tag, rest, err := wire.ParseTag(u.states)
	if err != nil || tag != want {
		return 0, badLuggage("state %d where %d was announced", tag, want)
	}
	u.states = rest
	block, err := u.block(1)
	if err != nil {
		return 0, err
	}
	v, _, err := u.handle(block)
	return v, err
}
