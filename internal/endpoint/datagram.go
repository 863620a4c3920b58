package endpoint

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// A PacketConn is a datagram socket that has a name, or sends to one that has. It satisfies
// transport.Conn.
//
// Under it are links: connections that carry datagrams one way, from the socket that opened them to
// the one that listens. The receiving socket has one queue across all of its links, and says of
// each datagram whether it has been queued: it acknowledges it then, and not before. So a send that
// has returned is in the queue, in front of whatever anybody sends later, and a queue that is full
// holds up every sender, as in the kernel; what came meanwhile waits in the order of its arrival.
// (The two ends of a pair have one connection, both ways, and need none of this: see Conn.)
//
// Its lock comes before those of its links.
type PacketConn struct {
	cfg     Config // see linkConfigLocked
	network pipe.Network
	id      uint64                     // tells it from other sockets, in its hellos
	binding locks.Mutex[locks.Binding] // one autobind at a time
	ctx     context.Context
	cancel  context.CancelFunc

	mu     locks.Mutex[locks.PacketConn]
	door   *door[*link]  // nil without a name
	local  *net.UnixAddr // as it was at first: package net does not look again, either (row 75)
	bound  []byte        // the name in each datagram
	remote *net.UnixAddr // nil if it is not connected; it stays when the peer has gone, as in package net
	peer   *link         // the link to the socket that this one is connected to
	peerID uint64        // … which is the only one that may send to this one
	mute   bool          // shut down for writing
	pass   bool          // SO_PASSCRED
	packetMove

	in  incoming
	out outgoing
}

// ListenPacket returns a datagram socket that is bound to name, or to one that the system chooses.
func ListenPacket(n pipe.Network, name string, cfg Config) (*PacketConn, error) {
	s := newPacketConn(n, cfg)
	if err := s.bind(name); err != nil {
		s.cancel()
		return nil, err
	}
	s.local = address(sock.Datagram, string(s.bound))
	return s, nil
}

// DialPacket returns a datagram socket that is connected to the one called name. If bind is set, it
// is bound to local first, or to a name that the system chooses.
func DialPacket(ctx context.Context, n pipe.Network, bind bool, local, name string, cfg Config) (*PacketConn, error) {
	s := newPacketConn(n, cfg)
	err := func() error {
		if bind {
			if err := s.bind(local); err != nil {
				return os.NewSyscallError("bind", err)
			}
			s.local = address(sock.Datagram, string(s.bound))
		}
		return s.connect(ctx, name)
	}()
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func newPacketConn(n pipe.Network, cfg Config) *PacketConn {
	s := &PacketConn{cfg: cfg, network: n, id: randomID(), local: address(sock.Datagram, "")}
	s.cfg.Type, s.cfg.Local = sock.Datagram, ""
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.in.s, s.in.cond.L = s, &s.mu
	s.in.deadline.mu, s.in.deadline.wake = &s.mu, s.in.cond.Broadcast
	s.started = true
	s.in.buffer, s.out.buffer = sock.DefaultBuffer, sock.DefaultBuffer
	s.out.s = s
	s.out.deadline.mu, s.out.deadline.wake = &s.out.mu, s.out.wakeLocked
	return s
}

// bind gives the socket a name, under which it can be sent to.
func (s *PacketConn) bind(name string) error {
	source, name, err := s.network.Listen(name)
	if err != nil {
		return err
	}
	source.SetUnlinkOnClose(false) // row 191
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.mail.Closed() {
		source.Close()
		return net.ErrClosed
	}
	s.bound = []byte(name)
	s.door = new(door[*link])
	s.door.open(source, s.linkConfigLocked(), 0, s.newLink)
	s.door.Start()
	go s.in.serve(s.door)
	return nil
}

// linkConfigLocked is what a link is made with, and the door.
func (s *PacketConn) linkConfigLocked() Config {
	cfg := s.cfg
	cfg.Local = string(s.bound)
	return cfg
}

// Read reads one datagram, and closes descriptors that come with it.
func (s *PacketConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, s.change(func() {}) // as in package net, reading nothing takes nothing
	}
	_, r, err := s.in.receive(b, false)
	if r.Rights != nil {
		r.Rights.Discard() // as read(2) does (row 18)
	}
	return r.N, err
}

// Recv receives one datagram: see transport.Conn.
func (s *PacketConn) Recv(b []byte, peek bool) (transport.Message, error) {
	from, r, err := s.in.receive(b, peek)
	m := transport.Message{N: r.N, Truncated: r.Truncated}
	if r.Rights != nil {
		m.Rights = r.Rights.(*descriptor.Set)
	}
	if err != nil {
		return m, err
	}
	m.From, m.Credentials = s.in.sender(from), s.in.credentials(from, r.Creds)
	if r.Lost {
		err = descriptor.ErrRightsTruncated
	}
	return m, err
}

// Close closes the socket. What has been sent can still be read by its receivers. The socket file
// stays (row 191).
func (s *PacketConn) Close() error {
	s.mu.Lock()
	if s.in.mail.Closed() {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.in.mail.Close()
	s.in.deadline.stopLocked()
	s.in.cond.Broadcast()
	moving := s.in.mail.Moving()
	s.mu.Unlock()
	if moving {
		return nil // it moves, or is closed when it does not: see stay
	}
	return s.depose()
}

// depose closes a socket that has been marked as closed.
func (s *PacketConn) depose() error {
	links := s.out.close()
	s.mu.Lock()
	if s.peer != nil {
		links = append(links, s.peer)
	}
	// As long as it has not been started its former owner may still have it, or what was said of it
	// is not true.
	for _, l := range s.in.mail.Empty(s.started) {
		links = append(links, l.Conn)
	}
	door := s.door
	s.in.unlock()
	s.cancel()
	var err error
	if door != nil {
		err = door.Close()
	}
	for _, l := range links {
		l.Close() // a link that broke is closed already
	}
	return err
}

// PeerCredentials are unknown: Linux has none for datagram sockets (row 73).
func (s *PacketConn) PeerCredentials() (cred.Credentials, error) {
	if s.remote == nil {
		return cred.Credentials{}, syscall.ENOTCONN
	}
	return cred.Credentials{}, errors.ErrUnsupported
}

// Packets are not counted: those of many links are sent and received.
func (s *PacketConn) Packets() (sent, received uint64, ok bool) { return 0, 0, false }

// Transport is the pipe transport.
func (s *PacketConn) Transport() transport.ID { return transport.Pipe }

// LocalAddr returns the socket's name.
func (s *PacketConn) LocalAddr() *net.UnixAddr { return s.local }

// RemoteAddr returns the name of the socket that this one was connected to; nil if it was not.
func (s *PacketConn) RemoteAddr() *net.UnixAddr { return s.remote }

// Socket is nil.
func (s *PacketConn) Socket() net.Conn { return nil }

// SyscallConn gives access to the socket that its links come to, where there is one.
func (s *PacketConn) SyscallConn() (syscall.RawConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.door == nil {
		return nil, errors.ErrUnsupported
	}
	return s.door.SyscallConn()
}

// Taken has nothing to see: nobody looks at the name again (row 75).
func (s *PacketConn) Taken() {}
