package endpoint

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// maxLinks is how many links to other sockets a datagram socket keeps for the next datagram. The one that was not used for the
// longest time goes first; one that is being used is not counted.
const maxLinks = 32

// outgoing is the sending half of a datagram socket.
type outgoing struct {
	mu       sync.Mutex
	deadline deadline
	buffer   int // SO_SNDBUF
	links    map[string]*destination
	sent     uint64 // counts sends
	stop     func() // ends the dial that is under way; nil if none is
	closed   bool

	dialing sync.Mutex // one dial at a time
}

// A destination is a link to a socket that is sent to by its name.
type destination struct {
	conn  *Conn
	place Place // what the name led to when it was opened
	users int   // how many are sending on it
	used  uint64
}

// randomID tells sockets apart.
func randomID() uint64 { return rand.Uint64() | 1 }

// sendBuffer is SO_SNDBUF.
func (s *PacketConn) sendBuffer() int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.buffer
}

// connect makes a socket the only one that this one exchanges datagrams with.
func (s *PacketConn) connect(ctx context.Context, name string) error {
	p, err := s.network.Dial(ctx, name)
	if err != nil {
		return err
	}
	c, err := Dial(ctx, p, s.cfg)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peer, s.peerID = c, c.peerID
	s.remote = c.RemoteAddr() // what it is bound to (row 89)
	return nil
}

// Write sends one datagram to the socket that this one is connected to.
func (s *PacketConn) Write(b []byte) (int, error) { return s.Send(b, nil, nil) }

// Send sends one datagram: see transport.Conn.
func (s *PacketConn) Send(b []byte, files []transport.File, to *net.UnixAddr) (int, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.exit()
	if err := s.sendable(len(b), to); err != nil {
		if bad := badFile(s.cfg.table(), files); bad != nil && err != net.ErrClosed && err != os.ErrDeadlineExceeded {
			err = bad // the kernel looks at the descriptors first
		}
		return 0, s.misnamed(to, err)
	}
	if to == nil {
		return s.sendToPeer(b, files)
	}
	return s.sendTo(b, files, to.Name)
}

// misnamed returns EINVAL if to is no name: the kernel finds that out before err, unless that is package net's.
func (s *PacketConn) misnamed(to *net.UnixAddr, err error) error {
	if to == nil || err != syscall.EMSGSIZE && err != syscall.EPIPE {
		return err
	}
	if _, bad := s.network.Find(to.Name); bad == syscall.EINVAL {
		return bad
	}
	return err
}

// sendable says why n bytes cannot be sent, in the order in which unix_dgram_sendmsg finds out. A socket that wants credentials
// is given a name before anything else (row 75).
func (s *PacketConn) sendable(n int, to *net.UnixAddr) error {
	s.out.mu.Lock()
	late, size := s.out.deadline.expired, s.out.buffer-32 // row 49
	s.out.mu.Unlock()
	s.mu.Lock()
	nameless := s.pass && s.cfg.Local == "" && !s.closed
	s.mu.Unlock()
	if nameless && !late && s.misnamed(to, syscall.EPIPE) == syscall.EPIPE {
		if err := s.autobind(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return net.ErrClosed
	case late:
		return os.ErrDeadlineExceeded
	case n > size:
		return syscall.EMSGSIZE
	case s.mute:
		return syscall.EPIPE
	case to == nil && (s.peer == nil || s.apart):
		return syscall.ENOTCONN
	}
	return nil
}

// autobind gives the socket a name that the system chooses, unless it has one.
func (s *PacketConn) autobind() error {
	s.binding.Lock()
	defer s.binding.Unlock()
	if len(s.boundName()) > 0 {
		return nil
	}
	if err := s.bind(""); err != nil {
		return err
	}
	s.introduce()
	return nil
}

// introduce tells the name that the socket has chosen to those who have datagrams of it.
func (s *PacketConn) introduce() {
	name := s.boundName()
	for _, c := range s.destinations() {
		c.out.mu.Lock()
		c.out.owed.name = name
		c.tell(debtOptions, &c.out.owed.optionsDone)
		c.out.mu.Unlock()
	}
}

// destinations are the links that the socket sends on.
func (s *PacketConn) destinations() (links []*Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	for _, d := range s.out.links {
		links = append(links, d.conn)
	}
	if s.peer != nil {
		links = append(links, s.peer)
	}
	return links
}

// sendToPeer sends to the socket that this one is connected to. If that is gone, this one is not connected any more (row 120).
func (s *PacketConn) sendToPeer(b []byte, files []transport.File) (int, error) {
	n, err := s.peer.offer(b, files)
	if err != errGone && err != syscall.ECONNREFUSED {
		return n, err
	}
	s.mu.Lock()
	first := !s.apart
	s.apart, s.peerID = true, 0
	if first {
		s.purge()
	}
	s.mu.Unlock()
	if !first {
		return 0, syscall.ENOTCONN
	}
	s.peer.Close()
	return 0, syscall.ECONNREFUSED
}

// purge discards what is in the queue, as the kernel does when a socket loses its peer (unix_dgram_disconnected). The caller holds mu.
func (s *PacketConn) purge() {
	queue := s.queue
	s.queue = nil
	for _, c := range queue {
		c.link.queued--
		c.in.mu.Lock()
		r := c.in.box.Read(nil)
		c.in.mu.Unlock()
		if r.Rights != nil {
			r.Rights.Close() // nobody is left who could be told
		}
		c.creditWhatIsDue()
		if c.link.over && c.link.queued == 0 {
			s.drop(c)
		}
	}
	s.admit()
}

// sendTo sends to the socket called name. A link that turns out to be gone says nothing of whoever has the name now.
func (s *PacketConn) sendTo(b []byte, files []transport.File, name string) (int, error) {
	for {
		d, fresh, err := s.reach(name)
		if err != nil {
			return 0, err
		}
		n, err := d.conn.offer(b, files)
		gone := err == errGone || err == syscall.ECONNREFUSED
		s.leave(name, d, gone)
		switch {
		case !gone:
			return n, err
		case fresh:
			return 0, syscall.ECONNREFUSED
		}
	}
}

// reach returns a link to the socket called name, and whether it is a new one. The caller leaves it.
func (s *PacketConn) reach(name string) (d *destination, fresh bool, err error) {
	place, err := s.network.Find(name)
	if err != nil {
		return nil, false, err
	}
	if d := s.out.find(name, place); d != nil {
		return d, false, nil
	}
	s.out.dialing.Lock()
	defer s.out.dialing.Unlock()
	if d := s.out.find(name, place); d != nil { // somebody else has dialled it
		return d, false, nil
	}
	d, err = s.dial(name, place)
	return d, true, err
}

// find returns the link to name, if it leads to place still.
func (o *outgoing) find(name string, place Place) *destination {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.links[name]
	if d == nil || d.place != place {
		return nil
	}
	o.use(d)
	return d
}

func (o *outgoing) use(d *destination) {
	o.sent++
	d.used = o.sent
	d.users++
}

// dial opens a link to the socket called name.
func (s *PacketConn) dial(name string, place Place) (*destination, error) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if err := s.out.begin(cancel); err != nil {
		return nil, err
	}
	p, err := s.network.Dial(ctx, name)
	var c *Conn
	if err == nil {
		c, err = Dial(ctx, p, s.cfg)
	}
	return s.out.add(name, place, c, err)
}

// begin notes that a dial is under way, which stop ends.
func (o *outgoing) begin(stop func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.stopped(); err != nil {
		return err
	}
	o.stop = stop
	return nil
}

func (o *outgoing) stopped() error {
	switch {
	case o.closed:
		return net.ErrClosed
	case o.deadline.expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// late reports whether the deadline has come.
func (o *outgoing) late() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.deadline.expired
}

// expire ends a dial whose deadline has come.
func (o *outgoing) expire() {
	if o.stop != nil {
		o.stop()
	}
}

// add ends a dial: it keeps the link c, or returns the error.
func (o *outgoing) add(name string, place Place, c *Conn, err error) (*destination, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop = nil
	if errors.Is(err, context.Canceled) {
		if err = o.stopped(); err == nil {
			err = os.ErrDeadlineExceeded // it had come, and has been put off since
		}
	}
	if err != nil {
		return nil, err
	}
	if o.closed {
		go c.Close()
		return nil, net.ErrClosed
	}
	c.SetWriteDeadline(o.deadline.at)
	if o.links == nil {
		o.links = make(map[string]*destination)
	}
	o.discard(name) // what the name led to before
	o.makeRoom()
	d := &destination{conn: c, place: place}
	o.links[name] = d
	o.use(d)
	return d, nil
}

// discard forgets the link to name. Whoever is sending on it closes it. The caller holds mu.
func (o *outgoing) discard(name string) {
	d := o.links[name]
	delete(o.links, name)
	if d != nil && d.users == 0 {
		go d.conn.Close()
	}
}

// makeRoom closes the link that has not been used for the longest time, if there are too many. The caller holds mu.
func (o *outgoing) makeRoom() {
	idle, oldest := 0, ""
	for name, d := range o.links {
		if d.users > 0 {
			continue
		}
		if idle++; idle == 1 || d.used < o.links[oldest].used {
			oldest = name
		}
	}
	if idle >= maxLinks {
		o.discard(oldest)
	}
}

// leave ends a send on d; gone means that the link is of no use any more.
func (s *PacketConn) leave(name string, d *destination, gone bool) {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	d.users--
	current := o.links[name] == d
	if current && gone {
		delete(o.links, name)
	}
	if d.users == 0 && (gone || !current) {
		go d.conn.Close()
	}
}

// close ends what is under way, and returns the links, for the caller to close.
func (o *outgoing) close() (links []*Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.deadline.stop()
	o.expire()
	for _, d := range o.links {
		links = append(links, d.conn)
	}
	clear(o.links)
	return links
}

// forget returns the links on which nobody is sending, for the caller to close.
func (o *outgoing) forget() (links []*Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, d := range o.links {
		if d.users == 0 {
			links = append(links, d.conn)
			delete(o.links, name)
		}
	}
	return links
}

// SetWriteDeadline sets when writes give up.
func (s *PacketConn) SetWriteDeadline(t time.Time) error {
	return s.sending(func(o *outgoing) { o.deadline.set(t) }, func(c *Conn) error { return c.SetWriteDeadline(t) })
}

// SetWriteBuffer sets how much may be under way to any socket: see Conn.SetWriteBuffer.
func (s *PacketConn) SetWriteBuffer(bytes int) error {
	return s.sending(func(o *outgoing) {
		o.buffer = bufferSize(2 * min(max(bytes, 0), sock.MaxWindow))
	}, func(c *Conn) error { return c.SetWriteBuffer(bytes) })
}

// bufferSize bounds SO_SNDBUF.
func bufferSize(bytes int) int {
	box := sock.NewOutbox(sock.Datagram)
	box.SetBuffer(bytes)
	return box.MaxMessage() + 32
}

// sending changes the sending half, and each of its links.
func (s *PacketConn) sending(half func(*outgoing), link func(*Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	half(&s.out)
	for _, d := range s.out.links {
		link(d.conn) // one that is closed needs it no more
	}
	if s.peer != nil {
		link(s.peer)
	}
	return nil
}

// errGone: the socket at the other end of a link was closed before the datagram was in the pipe.
var errGone = errors.New("link is gone")

// offer sends one datagram, and waits until it has been queued. ECONNREFUSED: the other socket was closed meanwhile; EPERM: it is
// connected to somebody else; EPIPE: it has shut down reading.
func (c *Conn) offer(b []byte, files []transport.File) (int, error) {
	for {
		var m *message
		if len(files) > 0 {
			var err error
			if m, err = c.gather(files); err == errCycle {
				return len(b), nil
			} else if err != nil {
				return 0, gone(err)
			}
		}
		n, err := c.offerWith(b, m)
		if err == errShifted {
			continue
		}
		m.arrived()
		return n, err
	}
}

// offerWith sends one datagram with the descriptors of m, if that is not nil.
func (c *Conn) offerWith(b []byte, m *message) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if m == nil {
		m = c.link.plain()
	}
	c.link.name, c.link.pass = c.link.socket.signature()
	err := c.load(m)
	n := 0
	if err == nil {
		n, err = c.pieces(b, wire.MaxPayload-m.maxLen(), m)
	}
	if m.transfer == nil {
		c.undo(m)
		return 0, gone(err)
	}
	return c.verdict(m.transfer, n, err)
}

// gone translates the end of a link.
func gone(err error) error {
	if err == syscall.EPIPE {
		return errGone
	}
	return err
}

// plain returns a message without descriptors: the one of the last datagram, if its outcome is known. The caller holds
// Conn.writing.
func (l *link) plain() *message {
	if l.last == nil || l.last.room.Fate == sock.Unknown {
		l.last = new(message)
	}
	l.last.transfer = nil
	return l.last
}

// signature is what each datagram says of its sender: its name, which nobody changes, and whether it has credentials.
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

// verdict waits for what the receiver says of a datagram of which n bytes have been written; err is what stopped the rest, if
// anything did.
func (c *Conn) verdict(t *sock.Transfer, n int, err error) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	w := wait{c: c}
	defer w.end()
	for t.Fate == sock.Written && err == nil {
		switch {
		case c.out.closed:
			err = net.ErrClosed
		case c.out.deadline.expired:
			err = os.ErrDeadlineExceeded
		default:
			w.more()
		}
	}
	if t.Fate == sock.Written {
		c.cancel(t, &w)
	}
	switch t.Fate {
	case sock.Acknowledged:
		return n, nil
	case sock.Unknown:
		return n, err
	case sock.Barred:
		return 0, syscall.EPERM
	case sock.Severed:
		return 0, syscall.ECONNREFUSED
	}
	if err == nil {
		err = syscall.EPIPE
	}
	return 0, err
}

// cancel tells the receiver that nobody waits any longer for a datagram to be queued, and waits for what it says to that: either
// it is in the queue all the same, or nothing has happened. The caller holds out.mu.
func (c *Conn) cancel(t *sock.Transfer, w *wait) {
	c.out.owed.cancel = t.Serial()
	c.out.owed.note(debtCancel)
	c.pay()
	late := c.after(patience)
	defer late.stop()
	for t.Fate == sock.Written && !late.passed && !c.out.severed {
		w.more()
	}
	if t.Fate == sock.Written {
		t.Fate = sock.Unknown // the receiver is suspended
	}
}
