package endpoint

import (
	"context"
	"errors"
	"net"
	"syscall"

	"afunix/internal/sock"
	"afunix/internal/transport"
)

// connect makes a socket the only one that this one exchanges datagrams with.
func (s *PacketConn) connect(ctx context.Context, name string) error {
	p, err := s.network.Dial(ctx, name)
	if err != nil {
		return err
	}
	l, err := s.out.link(ctx, p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peer, s.peerID = l, l.peer.id
	s.in.mail.SetPeer(sock.Connected)
	s.remote = l.remote // what it is bound to (row 89)
	return nil
}

// Write sends one datagram to the socket that this one is connected to.
func (s *PacketConn) Write(b []byte) (int, error) { return s.Send(b, nil, nil) }

// WriteBuffers sends one datagram of several slices: see transport.Conn.
func (s *PacketConn) WriteBuffers(b [][]byte) (int64, error) { return transport.Joined(b, s.Write) }

// Send sends one datagram: see transport.Conn.
func (s *PacketConn) Send(b []byte, files []transport.File, to *net.UnixAddr) (int, error) {
	if err := s.out.enter(); err != nil {
		return 0, err
	}
	defer s.out.exit()
	if err := s.sendable(len(b), files, to); err != nil {
		return 0, err
	}
	if to == nil {
		return s.sendToPeer(b, files)
	}
	return s.sendTo(b, files, to.Name)
}

// sendable says why n bytes and files cannot be sent. A socket that wants credentials is given a
// name before anything else (row 75).
func (s *PacketConn) sendable(n int, files []transport.File, to *net.UnixAddr) error {
	if s.nameless() && !s.out.late() && !s.out.misnamed(to) {
		if err := s.autobind(to); err != nil {
			return err
		}
	}
	o := s.obstacle(n, to == nil)
	if sock.BadFile < o && o < sock.NoObstacle {
		if bad := badFile(s.cfg.table(), files); bad != nil {
			return bad
		}
	}
	if sock.BadName < o && o < sock.NoObstacle && s.out.misnamed(to) {
		o = sock.BadName
	}
	return errorOf(o, syscall.ECONNREFUSED)
}

// obstacle says why n bytes cannot be sent, to the peer or to anybody.
func (s *PacketConn) obstacle(n int, toPeer bool) sock.Obstacle {
	s.out.mu.Lock()
	o := min(sock.Stopped(false, s.out.deadline.expired), sock.Length(sock.Datagram, n, s.out.buffer))
	s.out.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if toPeer {
		o = min(o, s.in.mail.Peer().Obstacle())
	}
	if s.mute {
		o = min(o, sock.Silent)
	}
	return min(o, sock.Stopped(s.in.mail.Closed(), false))
}

// misnamed reports whether to is no name.
func (o *outgoing) misnamed(to *net.UnixAddr) bool {
	if to == nil {
		return false
	}
	_, err := o.s.network.Find(to.Name)
	return errors.Is(err, syscall.EINVAL)
}

// nameless reports whether the socket is to choose a name when it sends.
func (s *PacketConn) nameless() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pass && len(s.bound) == 0 && !s.in.mail.Closed()
}

// autobind gives the socket a name that the system chooses, unless it has one. It is about to send
// to the socket named to, or to its peer if that is nil.
func (s *PacketConn) autobind(to *net.UnixAddr) error {
	s.binding.Lock()
	defer s.binding.Unlock()
	if len(s.boundName()) > 0 {
		return nil
	}
	if err := s.bind(""); err != nil {
		return err
	}
	s.introduce(to == nil)
	return nil
}

// introduce tells the name that the socket has chosen to those who have datagrams of it. It waits
// for the peer if that is who the send is for, which may fail all the same, and for nobody else.
func (s *PacketConn) introduce(toPeer bool) {
	name := s.boundName()
	for _, c := range s.out.destinations() {
		c.pen.lock()
		c.pen.owed.name = name
		if toPeer && c == s.peer {
			c.tellLocked(sock.DebtOptions)
		} else {
			c.pen.owed.Owe(sock.DebtOptions)
			c.pen.payLocked()
		}
		c.mu.Unlock()
	}
}

// destinations are the links that the socket sends on.
func (o *outgoing) destinations() (links []*link) {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.links {
		links = append(links, d.link)
	}
	if s.peer != nil {
		links = append(links, s.peer)
	}
	return links
}

// sendToPeer sends to the socket that this one is connected to. If that is gone, this one is not
// connected any more (row 120).
func (s *PacketConn) sendToPeer(b []byte, files []transport.File) (int, error) {
	n, err := s.peer.offer(b, files)
	if err != errGone && err != errLost && err != syscall.ECONNREFUSED {
		return n, err
	}
	s.mu.Lock()
	o := s.in.mail.Part()
	s.peerID = 0
	s.in.unlock()
	if o == sock.Left {
		s.peer.Close()
	}
	return n, errorOf(o, syscall.ECONNREFUSED)
}

// sendTo sends to the socket called name. A link that turns out to be gone says nothing of whoever
// has the name now.
func (s *PacketConn) sendTo(b []byte, files []transport.File, name string) (int, error) {
	for {
		d, fresh, err := s.out.reach(name)
		if err != nil {
			return 0, err
		}
		n, err := d.link.offer(b, files)
		gone := err == errGone || err == errLost || err == syscall.ECONNREFUSED
		s.out.done(name, d, gone)
		switch {
		case !gone:
			return n, err
		case err == errLost: // it may have arrived
			return n, syscall.ECONNREFUSED
		case fresh:
			return 0, syscall.ECONNREFUSED
		}
	}
}

// signature is what each datagram says of its sender: its name, which nobody changes, and whether
// it has credentials.
func (s *PacketConn) signature() (name []byte, credentials bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound, s.pass
}

// boundName is what the socket is bound to.
func (s *PacketConn) boundName() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound
}
