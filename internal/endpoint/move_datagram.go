package endpoint

import (
	"net"
	"os"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// This file is about a datagram socket that moves to another process (P8): its listener, the links
// on which datagrams come to it, and the one to the socket that it is connected to. Other links on
// which it sends are closed; the new owner opens some when it needs them.

// packetMove is what a datagram socket knows of its move. It is guarded by PacketConn.mu.
type packetMove struct {
	started bool    // false: it has moved here, and its former owner has not been told
	sends   int     // sends that are under way
	nudged  bool    // the mover has to look around
	links   []*link // that move with it; the first one is the peer, if it has one
}

func (s *PacketConn) Receives(id uint64) bool { return s.id == id }

func (s *PacketConn) Nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nudged = true
	s.in.cond.Broadcast()
}

// enter begins a send, as soon as the socket does not move.
func (o *outgoing) enter() error {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.in.mail.Moving() || !s.started {
		switch {
		case s.in.mail.Closed():
			return net.ErrClosed
		case o.late():
			return os.ErrDeadlineExceeded
		}
		s.in.cond.Wait()
	}
	s.sends++
	return nil
}

// wakeLocked ends what a send waits for whose deadline has come: a dial, or the end of a move. The
// lock of the socket comes before that of its sending half.
func (o *outgoing) wakeLocked() {
	o.expireLocked()
	go func() {
		o.s.mu.Lock()
		defer o.s.mu.Unlock()
		o.s.in.cond.Broadcast()
	}()
}

func (o *outgoing) exit() {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sends--; s.in.mail.Moving() {
		s.in.cond.Broadcast()
	}
}

func (s *PacketConn) Begin(m *move.Outgoing) error {
	if err := s.pause(m); err != nil {
		return err
	}
	s.mu.Lock()
	err := s.awaitSendsLocked(m)
	door := s.door
	s.mu.Unlock()
	for _, c := range s.out.forget() {
		c.Close()
	}
	var arrivals []*link
	if err == nil && door != nil {
		if err = m.Begin(door); err == nil {
			arrivals = door.takeAll()
		}
	}
	var links []*link
	if err == nil {
		links, err = s.beginLinks(m)
	}
	for _, c := range arrivals {
		c.accepted()
	}
	s.mu.Lock()
	for _, c := range arrivals { // they have begun to move with the listener
		s.in.mail.Attach(&c.mail)
	}
	s.links = append(links, arrivals...)
	s.mu.Unlock()
	if err != nil {
		s.Stay()
	}
	return err
}

// pause makes the socket neither receive nor send anything new.
func (s *PacketConn) pause(m *move.Outgoing) error {
	s.mu.Lock()
	defer s.in.unlock()
	err := watchLocked(m, &s.in.cond, &s.nudged, func() bool { return s.started || s.in.mail.Closed() })
	switch {
	case err != nil:
		return err
	case s.in.mail.Closed() || s.in.mail.Moving():
		return syscall.EBADF
	case s.peer != nil && carrierOf(m) == &s.peer.session:
		return descriptor.ErrNotSendable // its receiver could not tell who reads the link
	}
	s.in.mail.Move()
	s.in.cond.Broadcast()
	return nil
}

// beginLinks begins to move the links. One that has been closed meanwhile was of no use any more.
func (s *PacketConn) beginLinks(m *move.Outgoing) (links []*link, err error) {
	for _, c := range s.attached() {
		switch err := m.Begin(c); err {
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
func (s *PacketConn) attached() (links []*link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.mail.Peer() == sock.Connected {
		links = append(links, s.peer)
	}
	for _, l := range s.in.mail.Links() {
		links = append(links, l.Conn)
	}
	return links
}

// awaitSendsLocked waits until no send is under way, as long as the carrier can send, but for the
// one that sends the socket itself.
func (s *PacketConn) awaitSendsLocked(m *move.Outgoing) error {
	own := 0
	if c := carrierOf(m); c != nil && c.above.socket() == transport.Conn(s) {
		own = 1
	}
	return watchLocked(m, &s.in.cond, &s.nudged, func() bool { return s.sends <= own })
}

func (s *PacketConn) Ready(m *move.Outgoing) error {
	if s.door != nil {
		if err := s.door.Ready(m); err != nil {
			return err
		}
	}
	for _, c := range s.links {
		if err := c.Ready(m); err != nil {
			return err
		}
	}
	return nil
}

func (s *PacketConn) Pack(m *move.Outgoing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	links := s.livingLocked()
	m.AddPacket(s.stateLocked(links))
	if s.door != nil {
		if err := m.AddPart(s.door); err != nil {
			return err
		}
	}
	for _, l := range links {
		if err := m.AddPart(l); err != nil {
			return err
		}
	}
	return nil
}

// livingLocked returns the links that are still of use.
func (s *PacketConn) livingLocked() (links []*link) {
	for _, c := range s.links {
		if c.mail.Attached() || c == s.peer {
			links = append(links, c)
		}
	}
	return links
}

// stateLocked returns the state of a socket with these links.
func (s *PacketConn) stateLocked(links []*link) *sock.PacketState {
	p := &sock.PacketState{
		ID: s.id, PeerID: s.peerID, Local: s.local.Name, Bound: string(s.bound), Buffer: uint32(s.out.size()), Mute: s.mute, Pass: s.pass,
		Listens: s.door != nil, Links: uint32(len(links)), PeerLink: len(links) > 0 && links[0] == s.peer,
	}
	if s.remote != nil {
		p.Remote = s.remote.Name
	}
	p.Mail, p.Order = s.in.mail.Look(mails(links))
	return p
}

// mails are what the mailbox of a socket knows of these links.
func mails(links []*link) []*sock.Link[*link] {
	mails := make([]*sock.Link[*link], len(links))
	for i, c := range links {
		mails[i] = &c.mail
	}
	return mails
}

func (l *link) look() sock.LinkState     { return l.mail.Look() }
func (l *link) restore(s sock.LinkState) { l.mail.Restore(s) }

// Stay makes the socket what it was. Its listener and its links are ends of the move themselves.
func (s *PacketConn) Stay() {
	s.mu.Lock()
	s.in.mail.Stay()
	s.links = nil
	closed := s.in.mail.Closed()
	s.in.cond.Broadcast()
	s.mu.Unlock()
	if closed {
		s.depose()
	}
}

// Moved makes the socket behave as closed.
func (s *PacketConn) Moved() {
	s.mu.Lock()
	s.in.mail.Leave()
	s.in.deadline.stopLocked()
	s.in.cond.Broadcast()
	s.mu.Unlock()
	s.out.close()
	s.cancel()
}

// Release has nothing to let go of: the socket has no descriptor of its own.
func (s *PacketConn) Release() {}

// Kind is that of a socket.
func (s *PacketConn) Kind() descriptor.Kind { return descriptor.Unix }

// Descriptor returns none.
func (s *PacketConn) Descriptor() (uintptr, error) { return 0, nil }

func (s *PacketConn) Start() {
	s.mu.Lock()
	links := s.links
	s.links = nil
	door := s.door
	s.mu.Unlock()
	for _, c := range links {
		c.Start()
	}
	s.mu.Lock()
	s.started = true // all that it is linked to has been told who sends from now on
	s.in.cond.Broadcast()
	s.mu.Unlock()
	if door != nil {
		door.Start()
		go s.in.serve(door)
	}
}
