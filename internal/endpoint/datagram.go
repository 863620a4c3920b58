package endpoint

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
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
	cfg     Config // of its links
	network Network
	id      uint64     // tells it from other sockets, in its hellos
	binding sync.Mutex // one autobind at a time
	ctx     context.Context
	cancel  context.CancelFunc

	mu       sync.Mutex
	cond     sync.Cond // for readers
	deadline deadline  // for readers
	queue    []*Conn   // a link for each datagram that can be read, oldest first
	held     []*Conn   // a link for each datagram that waits for room in the queue
	in       map[*Conn]struct{}
	listener *Listener     // nil without a name
	local    *net.UnixAddr // as it was at first: package net does not look again, either (row 75)
	bound    []byte        // the name in each datagram
	remote   *net.UnixAddr // nil if it is not connected; it stays when the peer has gone, as in package net
	peer     *Conn         // the link to the socket that this one is connected to
	peerID   uint64        // … which is the only one that may send to this one
	apart    bool          // the peer turned out to be gone
	closed   bool
	deaf     bool // shut down for reading
	mute     bool // shut down for writing
	pass     bool // SO_PASSCRED
	packetMove

	out outgoing
}

// maxQueue is how many datagrams a queue may hold for another one to be put into it: net.unix.max_dgram_qlen (row 48).
const maxQueue = 10

// A Network is the names of a system, and what they lead to.
type Network interface {
	// Find returns what name leads to now. Errors are those of connect(2).
	Find(name string) (Place, error)
	// Dial opens a pipe to the socket called name. Errors are those of connect(2), and that of ctx.
	Dial(ctx context.Context, name string) (Pipe, error)
	// Listen binds name, or one of its own choice if that is "", and returns what it bound.
	Listen(name string) (Source, string, error)
}

// A Place is equal to another one as long as the name that it was found by leads to the same socket. (It may differ though it does.)
type Place [4]uint64

// ListenPacket returns a datagram socket that is bound to name, or to one that the system chooses.
func ListenPacket(n Network, name string, cfg Config) (*PacketConn, error) {
	s := newPacketConn(n, cfg)
	if err := s.bind(name); err != nil {
		s.cancel()
		return nil, err
	}
	s.local = address(sock.Datagram, s.cfg.Local)
	return s, nil
}

// DialPacket returns a datagram socket that is connected to the one called name. If bind is set, it is bound to local first, or to
// a name that the system chooses.
func DialPacket(ctx context.Context, n Network, bind bool, local, name string, cfg Config) (*PacketConn, error) {
	s := newPacketConn(n, cfg)
	err := func() error {
		if bind {
			if err := s.bind(local); err != nil {
				return os.NewSyscallError("bind", err)
			}
			s.local = address(sock.Datagram, s.cfg.Local)
		}
		return s.connect(ctx, name)
	}()
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func newPacketConn(n Network, cfg Config) *PacketConn {
	s := &PacketConn{cfg: cfg, network: n, id: randomID(), in: make(map[*Conn]struct{}), local: address(sock.Datagram, "")}
	s.cfg.Type, s.cfg.Local, s.cfg.socket = sock.Datagram, "", s
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.cond.L = &s.mu
	s.deadline.mu, s.deadline.wake = &s.mu, s.cond.Broadcast
	s.started = true
	s.out.buffer = sock.DefaultBuffer
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
	s.cfg.Local, s.bound = name, []byte(name)
	s.listener = Listen(source, s.cfg, 0)
	go s.serve(s.listener)
	if s.closed {
		s.listener.Close()
	}
	return nil
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
	if s.closed || c.link.over && c.link.queued == 0 {
		return false
	}
	s.in[c] = struct{}{}
	return true
}

// permits reports whether the socket with this number may send here: anybody, unless this one is connected to somebody else.
func (s *PacketConn) permits(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open(id)
}

func (s *PacketConn) open(id uint64) bool { return s.peerID == 0 || s.peerID == id }

// A link is what a datagram socket keeps for one of its connections. It is guarded by the socket's lock, but for what is said.
type link struct {
	socket *PacketConn

	// Of a link on which datagrams come:
	over     bool    // nothing will come any more
	offering uint64  // the serial number of the datagram of which pieces are coming; only the reader uses it
	ends     []mover // … that have come with it; likewise
	sender   string  // the name in the last datagram
	offers   []offer // the datagrams that are held, oldest first
	queued   int     // how many datagrams are in the socket's queue

	// Of a link on which datagrams go:
	name []byte   // ours; guarded by Conn.writing
	pass bool     // it has credentials; guarded by Conn.writing
	last *message // that had no descriptors; guarded by Conn.writing
}

// An offer is a datagram that is not in the queue yet.
type offer struct {
	serial uint64
	ends   []mover // that have come with it, and are started when it is
}

// sign notes what a datagram's first packet says of it. Nothing comes on a link that this side has opened.
func (l *link) sign(s *sock.Segment, p *wire.Packet, server bool) error {
	switch {
	case !server:
		return errUnexpected
	case s.Continued, p.Flags&wire.Luggage != 0:
		return nil
	case p.Serial == 0:
		return errUnexpected
	}
	l.offering = p.Serial
	l.named(p.Name)
	return nil
}

// named notes what the socket at the other end is called.
func (l *link) named(name []byte) {
	l.socket.mu.Lock()
	defer l.socket.mu.Unlock()
	if string(name) != l.sender {
		l.sender = string(name)
	}
}

// deliver takes in a datagram, or a piece of one, that has come on c, and the ends with its first piece.
func (s *PacketConn) deliver(c *Conn, seg sock.Segment, ends []mover) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.in.mu.Lock()
	if s.pass {
		seg.Creds = c.in.writing()
	}
	whole, err := c.in.box.Put(seg)
	c.in.mu.Unlock()
	l := c.link
	if len(ends) > 0 {
		l.ends = ends
	}
	if err != nil || !whole {
		return err
	}
	l.offers = append(l.offers, offer{l.offering, l.ends})
	l.ends = nil
	s.held = append(s.held, c)
	switch {
	case s.closed:
		s.refuse(c, len(l.offers)-1, wire.Closing)
	case !s.open(c.peerID):
		s.refuse(c, len(l.offers)-1, wire.Stranger)
	case s.deaf:
		s.refuse(c, len(l.offers)-1, 0)
	default:
		s.admit()
	}
	return nil
}

// admit moves what is held into the queue, as far as that has room. To itself a socket may send whatever its buffer holds (row
// 124). The caller holds mu.
func (s *PacketConn) admit() {
	for len(s.held) > 0 {
		c := s.held[0]
		switch {
		case len(s.queue) > maxQueue && c.peerID != s.id:
			return
		case s.deaf:
			s.refuse(c, 0, 0)
			continue
		}
		s.held = slices.Delete(s.held, 0, 1)
		s.queue = append(s.queue, c)
		c.link.queued++
		c.acknowledge(c.link.offers[0].serial)
		startAll(c.link.offers[0].ends)
		c.link.offers = slices.Delete(c.link.offers, 0, 1)
		s.cond.Signal()
	}
}

// refuse discards the datagrams that are held of c, but for the first n, and says so. The caller holds mu.
func (s *PacketConn) refuse(c *Conn, n int, why uint8) {
	l := c.link
	if n >= len(l.offers) {
		return
	}
	last := l.offers[len(l.offers)-1].serial
	for i := len(s.held) - 1; len(l.offers) > n; i-- {
		if s.held[i] == c {
			s.held = slices.Delete(s.held, i, i+1)
			l.offers = l.offers[:len(l.offers)-1]
		}
	}
	c.in.mu.Lock()
	c.in.box.Keep(l.queued + n)
	c.in.mu.Unlock()
	c.refused(last, why)
	c.creditWhatIsDue()
}

// refused tells the peer that its datagrams up to serial have not been queued.
func (c *Conn) refused(serial uint64, why uint8) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.owed.refused, c.out.owed.why = serial, why
	c.out.owed.note(debtRefuse)
	c.pay()
}

// datagram applies an admin packet that only datagrams need.
func (c *Conn) datagram(p *wire.Packet) error {
	switch {
	case c.link == nil:
		return errUnexpected
	case p.Type == wire.Cancel:
		c.link.socket.withdraw(c, p.Serial)
		return nil
	}
	fate := sock.Refused
	switch p.Flags {
	case wire.Stranger:
		fate = sock.Barred
	case wire.Closing:
		fate = sock.Severed
	}
	return c.sending(func(o *outbox) error { return o.box.Refuse(p.Serial, fate) })
}

// withdraw discards the newest datagram of c, if it is the one that its sender means and is not in the queue yet.
func (s *PacketConn) withdraw(c *Conn, serial uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(c.link.offers); n > 0 && c.link.offers[n-1].serial == serial {
		s.refuse(c, n-1, 0)
	}
}

// ended notes that nothing more comes on c. What is held was never sent; what is in the queue can still be read.
func (s *PacketConn) ended(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.link.over = true
	s.refuse(c, 0, wire.Closing)
	if c.link.queued == 0 {
		s.drop(c)
	}
}

// drop closes a link that is of no use any more. The caller holds mu, and may be the link's reader.
func (s *PacketConn) drop(c *Conn) {
	if _, ok := s.in[c]; ok {
		delete(s.in, c)
		go c.Close()
	}
}

// Read reads one datagram, and closes descriptors that come with it.
func (s *PacketConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, s.change(func() {}) // as in package net, reading nothing takes nothing
	}
	_, r, err := s.receive(b, false)
	if r.Rights != nil {
		r.Rights.Close() // as read(2) does (row 18)
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
	defer s.mu.Unlock()
	for len(s.queue) == 0 || s.closed || s.deadline.expired || s.paused {
		switch {
		case s.closed:
			return nil, sock.Result{}, net.ErrClosed
		case s.deadline.expired:
			return nil, sock.Result{}, os.ErrDeadlineExceeded
		}
		s.cond.Wait()
	}
	c := s.queue[0]
	c.in.mu.Lock()
	if peek {
		r := duplicated(c.in.box.Peek(b))
		c.in.mu.Unlock()
		s.cond.Signal() // whoever waits may have it
		return c, r, nil
	}
	r := c.in.box.Read(b)
	c.in.mu.Unlock()
	c.creditWhatIsDue()
	s.queue = slices.Delete(s.queue, 0, 1)
	c.link.queued--
	if c.link.over && c.link.queued == 0 {
		s.drop(c)
	}
	s.admit()
	return c, r, nil
}

// sender returns what the socket at the other end of c is called now, if it has a name: recvmsg(2) looks when it is called.
func (s *PacketConn) sender(c *Conn) *net.UnixAddr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.link.sender == "" {
		return nil
	}
	return address(sock.Datagram, c.link.sender)
}

// credentials returns those that a datagram carries that came on c, if anybody wants them.
func (s *PacketConn) credentials(c *Conn, writer uint32) *cred.Credentials {
	s.mu.Lock()
	pass := s.pass
	s.mu.Unlock()
	if !pass {
		return nil
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.writer(writer)
}

// Close closes the socket. What has been sent can still be read by its receivers. The socket file stays (row 191).
func (s *PacketConn) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	s.deadline.stop()
	s.cond.Broadcast()
	moving := s.paused
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
	for c := range s.in {
		s.refuse(c, 0, wire.Closing)
		links = append(links, c)
	}
	clear(s.in)
	s.queue = nil
	listener := s.listener
	s.mu.Unlock()
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
	return s.change(func() { s.deaf = true })
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

// SetReadBuffer accepts any size: see Conn.SetReadBuffer.
func (s *PacketConn) SetReadBuffer(int) error { return s.change(func() {}) }

// change changes an open socket.
func (s *PacketConn) change(how func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
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
