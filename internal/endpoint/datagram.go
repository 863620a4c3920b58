package endpoint

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// A PacketConn is a datagram socket that has a name, or sends to one that has. It satisfies transport.Conn.
//
// Under it are links: connections that carry datagrams one way, from the socket that opened them to the one that listens. The
// receiving socket has one queue across all of its links, and says of each datagram whether it has been queued: it acknowledges
// it then, and not before. So a send that has returned is in the queue, in front of whatever anybody sends later, and a queue
// that is full holds up every sender, as in the kernel; what came meanwhile waits in the order of its arrival. (The two ends
// of a pair have one connection, both ways, and need none of this: see Conn.)
//
// Its lock comes before those of its links.
type PacketConn struct {
	cfg     Config // see linkConfig
	network pipe.Network
	id      uint64                     // tells it from other sockets, in its hellos
	binding locks.Mutex[locks.Binding] // one autobind at a time
	ctx     context.Context
	cancel  context.CancelFunc

	mu       locks.Mutex[locks.PacketConn]
	cond     sync.Cond // for readers
	deadline deadline  // for readers
	mail     sock.Mailbox[*Conn]
	listener *Listener     // nil without a name
	local    *net.UnixAddr // as it was at first: package net does not look again, either (row 75)
	bound    []byte        // the name in each datagram
	remote   *net.UnixAddr // nil if it is not connected; it stays when the peer has gone, as in package net
	peer     *Conn         // the link to the socket that this one is connected to
	peerID   uint64        // … which is the only one that may send to this one
	mute     bool          // shut down for writing
	pass     bool          // SO_PASSCRED
	buffer   int           // SO_RCVBUF
	packetMove

	// What is to be done once mu is free: see unlock.
	debtors   []*Conn       // links that owe their peer something
	discarded []sock.Rights // descriptors of datagrams that nobody will read
	arrived   []mover       // ends that have come with datagrams, and begin to live
	arriving  int           // how many ends do not live yet, so that nobody reads their datagrams

	out outgoing
}

// unlock does what has become necessary since mu was locked, and unlocks it. What is to be said on
// the links is noted first, since two of us must not note it in the wrong order: who closes the
// socket then may not overtake an acknowledgement. It is said once mu is free; descriptors that
// have been discarded are closed, and ends begin to live that have come with datagrams.
func (s *PacketConn) unlock() {
	s.carryOut()
	var room [4]*Conn
	debtors := append(room[:0], s.debtors...)
	clear(s.debtors)
	s.debtors = s.debtors[:0]
	discarded, arrived := s.discarded, s.arrived
	s.discarded, s.arrived = nil, nil
	s.mu.Unlock()
	for _, c := range debtors {
		c.pay()
	}
	closeAll(discarded)
	s.startAll(arrived)
}

// startAll makes ends live that have come with datagrams.
func (s *PacketConn) startAll(ends []mover) {
	if len(ends) == 0 {
		return
	}
	startAll(ends)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arriving -= len(ends)
	s.cond.Broadcast()
}

// owe notes what a link is to tell its peer. The caller holds mu, and unlock pays.
func (s *PacketConn) owe(c *Conn, note func(*owed)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	note(&c.out.owed)
	s.debtors = append(s.debtors, c)
}

// credit has a link tell its peer what it may send, if that is worth a packet. The caller holds mu,
// and unlock pays.
func (s *PacketConn) credit(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.oweCreditLocked() {
		s.debtors = append(s.debtors, c)
	}
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

// DialPacket returns a datagram socket that is connected to the one called name. If bind is set, it is bound to local first, or to
// a name that the system chooses.
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
	s.cfg.Type, s.cfg.Local, s.cfg.socket = sock.Datagram, "", s
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.cond.L = &s.mu
	s.deadline.mu, s.deadline.wake = &s.mu, s.cond.Broadcast
	s.started = true
	s.buffer, s.out.buffer = sock.DefaultBuffer, sock.DefaultBuffer
	s.out.deadline.mu, s.out.deadline.wake = &s.out.mu, s.expire
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
	if s.mail.Closed() {
		source.Close()
		return net.ErrClosed
	}
	s.bound = []byte(name)
	s.listener = Listen(source, s.linkConfig(), 0)
	go s.serve(s.listener)
	return nil
}

// linkConfig is what a link is made with, and the listener. The caller holds mu.
func (s *PacketConn) linkConfig() Config {
	cfg := s.cfg
	cfg.Local = string(s.bound)
	return cfg
}

// serve takes in links.
func (s *PacketConn) serve(l *Listener) {
	for {
		c, err := l.take()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors: the listener tries again by itself
			continue
		}
		c.accepted()
		if !s.attach(c) {
			c.Close()
		}
		l.handed()
	}
}

// attach reports whether a link is of any use.
func (s *PacketConn) attach(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mail.Useful(&c.link.mail) {
		return false
	}
	s.mail.Attach(&c.link.mail)
	return true
}

// permits says whether the socket with this number, of the process who, may send here. Whoever
// finds too many senders is told EAGAIN, as if the queue were full.
func (s *PacketConn) permits(id uint64, who cred.Credentials) wire.Status {
	s.recognize(id, who)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mail.Bars(s.isPeer(id, who)):
		return wire.NotPermitted
	case s.mail.Crowded(s.listener.waiting()):
		return wire.Full
	}
	return wire.OK
}

// isPeer reports whether the socket with this number, of the process who, is the one that this one
// is connected to. The numbers are no secrets: each socket tells its own to whoever sends to it.
// The caller holds mu.
func (s *PacketConn) isPeer(id uint64, who cred.Credentials) bool {
	return s.peer != nil && s.peerID == id && sameProcess(who, s.peer.current())
}

// recognize looks whether the peer of s has moved to the process who, which says that it has it.
func (s *PacketConn) recognize(id uint64, who cred.Credentials) {
	s.mu.Lock()
	peer := s.peer
	strange := s.peerID == id && !s.isPeer(id, who)
	s.mu.Unlock()
	if strange && peer != nil {
		peer.catchUp()
	}
}

// own reports whether the socket with this number, of the process who, is this very one.
func (s *PacketConn) own(id uint64, who cred.Credentials) bool {
	return id == s.id && sameProcess(who, cred.Self())
}

// sameProcess reports whether a and b may be the same process: on Windows its number is not always known.
func sameProcess(a, b cred.Credentials) bool {
	return a.UID == b.UID && a.SID == b.SID && (a.PID == b.PID || a.PID == 0 || b.PID == 0)
}

// Read reads one datagram, and closes descriptors that come with it.
func (s *PacketConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, s.change(func() {}) // as in package net, reading nothing takes nothing
	}
	_, r, err := s.receive(b, false)
	if r.Rights != nil {
		r.Rights.Discard() // as read(2) does (row 18)
	}
	return r.N, err
}

// Recv receives one datagram: see transport.Conn.
func (s *PacketConn) Recv(b []byte, peek bool) (transport.Message, error) {
	from, r, err := s.receive(b, peek)
	m := transport.Message{N: r.N, Truncated: r.Truncated}
	if r.Rights != nil {
		m.Rights = r.Rights.(*descriptor.Set)
	}
	if err != nil {
		return m, err
	}
	m.From, m.Credentials = s.sender(from), s.credentials(from, r.Creds)
	if r.Lost {
		err = descriptor.ErrRightsTruncated
	}
	return m, err
}

// receive waits for a datagram and takes or copies it. It returns the link that it came on, too.
func (s *PacketConn) receive(b []byte, peek bool) (*Conn, sock.Result, error) {
	s.mu.Lock()
	defer s.unlock()
	for !s.mail.Ready() || s.deadline.expired || s.arriving > 0 {
		switch {
		case s.mail.Closed():
			return nil, sock.Result{}, net.ErrClosed
		case s.deadline.expired:
			return nil, sock.Result{}, os.ErrDeadlineExceeded
		}
		s.cond.Wait()
	}
	c := s.mail.First().Conn
	c.mu.Lock()
	if peek {
		r := duplicated(c.in.box.Peek(b))
		c.mu.Unlock()
		s.cond.Signal() // whoever waits may have it
		return c, r, nil
	}
	r := c.in.box.Read(b)
	c.mu.Unlock()
	s.credit(c)
	s.mail.Took()
	return c, r, nil
}

// sender returns what the socket at the other end of c is called now, if it has a name: recvmsg(2) looks when it is called.
func (s *PacketConn) sender(c *Conn) *net.UnixAddr {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := c.link.mail.Sender()
	if name == "" {
		return nil
	}
	return address(sock.Datagram, name)
}

// credentials returns those that a datagram carries that came on c, if anybody wants them.
func (s *PacketConn) credentials(c *Conn, writer uint32) *cred.Credentials {
	s.mu.Lock()
	pass := s.pass
	s.mu.Unlock()
	if !pass {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.writer(writer)
}

// Close closes the socket. What has been sent can still be read by its receivers. The socket file stays (row 191).
func (s *PacketConn) Close() error {
	s.mu.Lock()
	if s.mail.Closed() {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.mail.Close()
	s.deadline.stop()
	s.cond.Broadcast()
	moving := s.mail.Moving()
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
	for _, l := range s.mail.Empty(s.started) {
		links = append(links, l.Conn)
	}
	listener := s.listener
	s.unlock()
	s.cancel()
	var err error
	if listener != nil {
		err = listener.Close()
	}
	for _, c := range links {
		c.Close() // a link that broke is closed already
	}
	return err
}

// CloseRead makes senders fail with EPIPE. What is queued can still be read, and then nothing comes; it is no end (row 197).
func (s *PacketConn) CloseRead() error {
	return s.change(s.mail.Shut)
}

// CloseWrite makes sending fail with EPIPE. Nobody else notices (row 130).
func (s *PacketConn) CloseWrite() error {
	return s.change(func() { s.mute = true })
}

// SetPassCredentials makes messages carry their sender's credentials: those that are sent once it has returned.
func (s *PacketConn) SetPassCredentials(on bool) error {
	return s.change(func() { s.pass = on })
}

// SetReadDeadline sets when reads give up.
func (s *PacketConn) SetReadDeadline(t time.Time) error {
	return s.change(func() { s.deadline.set(t) })
}

// change changes an open socket.
func (s *PacketConn) change(how func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mail.Closed() {
		return net.ErrClosed
	}
	how()
	return nil
}

// SetDeadline sets both deadlines.
func (s *PacketConn) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
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

// SyscallConn gives access to the socket that its links come to, where there is one.
func (s *PacketConn) SyscallConn() (syscall.RawConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil, errors.ErrUnsupported
	}
	return s.listener.SyscallConn()
}
