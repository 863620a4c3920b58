package endpoint

import (
	"io"
	"math"
	"net"
	"sync"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/transport"
)

// A Conn is one end of a connection over a message pipe. It satisfies transport.Conn.
//
// Methods whose name ends in Locked are called with mu held, as are those of the inbox, the outbox and what these are made of. A function
// that releases mu meanwhile says so: whoever called it looks again at what it decides by.
//
// What holds whenever mu is free:
//
//   - One goroutine reads the pipe: the one that has set in.turn.busy, and resets it. Only that goroutine applies packets.
//   - One goroutine writes to the pipe: the one that has set out.pen, and resets it. Until then nobody else changes out.severed,
//     out.head, what there is to a debt (all of owed but its bits, acknowledgements, refusals and credit), or ends transfers but by the
//     peer's acknowledgement.
//   - out.full excludes out.pen: a flusher waits for room, and nobody else writes before it is back. So does out.severed: nothing is
//     written any more, and out.box is Gone. So does what out.shift says of an end that has not come to life here (in.started), or is
//     about to leave, or has left: its peer hears nothing from here (sock.HearsNothing).
//   - What is owed is paid by whoever notes it, or by whoever has the pen: without any of the four, something is owed only while the
//     peer cannot hear it (out.shift.Hears).
//   - Before in.started no goroutine of c lives, and nothing is read.
//   - in.waiting and the bytes that in.box has placed are those of the one who holds reading; what out.shift knows of a message is
//     changed by the one who holds writing.
//   - A farewell waits until nothing is being adopted, and nothing is queued behind it. Like closed it is for ever.
type Conn struct {
	pipe   pipe.Pipe
	typ    sock.Type
	server bool   // this side created the pipe
	id     uint64 // tells the socket from others, in its hello
	peerID uint64 // that of the peer
	table  descriptor.Table
	world  *World // nil: ends do not move
	local  *net.UnixAddr
	remote *net.UnixAddr

	reading locks.Mutex[locks.Reading] // one Read at a time
	writing locks.Mutex[locks.Writing] // one Write at a time, so that none is interleaved with another

	mu     locks.Mutex[locks.Conn] // guards what follows. No call of the system that may take long, none that writes to the pipe or reads it, is made under it
	closed bool                    // by Close
	pass   bool                    // SO_PASSCRED
	in     inbox
	out    outbox

	link *link         // of a datagram socket that has many; else nil
	done chan struct{} // closed when the reader has ended
}

// inbox is the receiving half: sock.Inbox with its deadline, and whose turn it is to read the pipe.
type inbox struct {
	cond     sync.Cond // a Read waits on it, and whoever waits for the end of a turn or of a move
	box      *sock.Inbox
	deadline deadline
	turn     turn
	waiting  bool               // a Read waits: what comes is read at once
	paused   bool               // the end is being moved: nothing is read
	looking  bool               // a Read is under way that may not have seen that
	started  bool               // false: it has moved here, and its former owner has not been told
	nested   []mover            // … ends that came in its queue, whether they have been read or not
	adopting bool               // descriptors are being adopted, and their sender answered: the goodbye waits, or both sides would close them
	adopted  uint64             // the serial number of the message whose descriptors were the last ones
	farewell bool               // the goodbye has been said, or is owed: messages that come now are the peer's to take back
	failure  error              // why the connection broke, if it did
	packets  uint64             // received so far
	writers  []cred.Credentials // the processes that have had the other end, the last one now: segments know them by their numbers, from 1
	claimed  bool               // the last of them has not said hello to this process
	luggage  baggage
	buffer   int    // SO_RCVBUF
	peerName string // that the peer has chosen (row 75)
	naming   bool   // it has a reason to choose one, and that may be in the pipe
	untaken  bool   // it has moved here, and its user has not seen it
	embryo   bool   // it has not been accepted: what comes has its sender's credentials all the same, as in the kernel
}

// outbox is the sending half: sock.Outbox with its deadline, and what the transport itself has to
// say.
type outbox struct {
	cond     sync.Cond // whoever waits for anything but data waits on it: room, an acknowledgement, the pen, a peer that moves
	box      *sock.Outbox
	deadline deadline
	pen      bool // somebody is writing a packet to the pipe, without mu: see writeLocked
	queuing  int  // how many wait for the pen
	yielding bool // … and a Write, which comes after them
	full     bool // the pipe is: a flusher waits for room
	datagram bool // the socket is an end of a pair of datagram sockets
	severed  bool
	parting  bool // the goodbye is owed, or has been said
	parted   bool // the peer has said goodbye
	final    bool // nothing more will be heard of what is under way
	owed     owed
	settling []*message // whose copies are let go: see settleLocked

	left    []sock.Parked // of an end that broke while it moved: to be let go of when its pipe is closed
	head    []byte        // where the head of a packet is put together
	packets uint64        // sent so far

	opener    cred.Credentials // the peer when the connection was made: SO_PEERCRED
	can       pipe.Ability     // ours over the peer
	shift     sock.Shift
	hosted    []*departure // that go over this connection
	waiting   []mover      // ends that have come over it, and are to be started when the other end is let go
	nudged    bool         // whoever moves this end has to look around
	sendRoute rights.Route
	recvRoute rights.Route

	peerPass bool // the peer wants credentials with messages: SO_PASSCRED

	autobind Autobind  // nil if the socket has a name
	bound    io.Closer // to the one that it has chosen
}

// newConn returns a connection whose hello is still to come, and which takes up to rights descriptors ahead of its reader.
func newConn(p pipe.Pipe, cfg Config, server bool, rights int) *Conn {
	c := &Conn{pipe: p, typ: cfg.Type, server: server, table: cfg.table(), world: cfg.World, done: make(chan struct{})}
	c.local, c.remote = address(cfg.Type, cfg.Local), address(cfg.Type, "")
	c.in.cond.L, c.out.cond.L, c.in.turn.relief.L = &c.mu, &c.mu, &c.mu
	c.in.deadline.mu, c.in.deadline.wake = &c.mu, c.wakeReadsLocked
	c.out.deadline.mu, c.out.deadline.wake = &c.mu, c.wakeWritesLocked
	c.in.started = true
	c.in.box = sock.NewInbox(cfg.Type, rights)
	c.in.buffer = sock.DefaultBuffer
	c.out.box = sock.NewOutbox(cfg.Type)
	c.out.shift = sock.NewShift(&c.out.owed.Debts, server)
	c.out.owed.window = sock.DefaultWindow
	c.out.datagram = cfg.Type == sock.Datagram && cfg.socket == nil
	if cfg.Local == "" && cfg.Type != sock.Stream {
		c.out.autobind = cfg.Autobind
	}
	c.id = randomID()
	if cfg.socket != nil {
		c.id = cfg.socket.id
		c.link = &link{socket: cfg.socket, mail: sock.Link[*Conn]{Conn: c}}
		c.out.owed.window = c.out.box.SetBuffer(cfg.socket.sendBuffer())
	}
	return c
}

// unlock unlocks mu, and closes the descriptors that have been discarded meanwhile: there may be ends among them, whose locks are not taken
// under that of their carrier.
func (c *Conn) unlock() {
	discarded := c.in.box.Discarded()
	c.mu.Unlock()
	closeAll(discarded)
}

// closeAll closes descriptors that nobody will read.
func closeAll(discarded []sock.Rights) {
	for _, r := range discarded {
		r.Discard()
	}
}

// Read reads bytes, and closes descriptors that come with them. As in package net, reading nothing takes nothing.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, c.readable()
	}
	r, err := c.receive(b)
	if r.Rights != nil {
		r.Rights.Discard() // as read(2) does (row 18)
	}
	return r.N, err
}

// readable says why a read would fail whatever it asked for. Package net does not look at deadlines here.
func (c *Conn) readable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return nil
}

// readStoppedLocked says why no read can go on.
func (c *Conn) readStoppedLocked() error {
	return errorOf(sock.Stopped(c.closed, c.in.deadline.expired), false)
}

// Recv receives one message: see transport.Conn.
func (c *Conn) Recv(b []byte, peek bool) (transport.Message, error) {
	var r sock.Result
	var err error
	if peek {
		r, err = c.peek(b)
	} else {
		r, err = c.receive(b)
	}
	m := transport.Message{N: r.N, Truncated: r.Truncated}
	if r.Rights != nil {
		m.Rights = r.Rights.(*descriptor.Set)
	}
	if err == io.EOF && len(b) == 0 { // recvmsg(2) cannot tell it from nothing, and does not
		return c.nothing(), nil
	}
	if err != nil {
		return m, err
	}
	m.From = c.sender()
	m.Credentials = c.credentials(r.Creds)
	if r.Lost {
		err = descriptor.ErrRightsTruncated
	}
	return m, err
}

// sender returns what the other end of a pair of datagram sockets is called now, if it has a name: recvmsg(2) names nobody else,
// and looks when it is called.
func (c *Conn) sender() *net.UnixAddr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.typ != sock.Datagram || c.in.peerName == "" {
		return nil
	}
	return address(c.typ, c.in.peerName)
}

// nothing is a message that is none.
func (c *Conn) nothing() (m transport.Message) {
	if c.typ == sock.Stream && c.credentials(0) != nil {
		m.Credentials = new(cred.Credentials)
	}
	return m
}

// receive waits for something to read and takes it.
func (c *Conn) receive(b []byte) (sock.Result, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.lookLocked(b, len(b)); err != nil {
		c.in.box.Settle(b)
		c.leaveLocked()
		return sock.Result{}, err
	}
	r := c.in.box.Read(b)
	c.in.box.Settle(b[r.N:])
	c.leaveLocked()
	c.creditWhatIsDueLocked()
	return r, nil
}

// peek waits for something to read and copies it.
func (c *Conn) peek(b []byte) (sock.Result, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.leaveLocked()
	if err := c.lookLocked(nil, math.MaxInt); err != nil { // it may show descriptors that lie behind b: see Inbox.Peek
		return sock.Result{}, err
	}
	return duplicated(c.in.box.Peek(b)), nil
}

// lookLocked waits until there is something to read. If there was before, it takes in what else is
// in the pipe: for a stream up to n bytes, and for records all of it, because a reset comes before
// them. It may place bytes in into. The caller holds reading, too.
func (c *Conn) lookLocked(into []byte, n int) error {
	defer c.lookedLocked()
	looked, fresh := false, false
	for ; ; fresh = c.awaitLocked(into) {
		if c.standAsideLocked(into) {
			fresh = false
		}
		if err := c.readStoppedLocked(); err != nil {
			return err
		}
		if c.in.box.Ready() {
			switch {
			case fresh:
			case c.typ == sock.Datagram && c.in.naming:
				c.takeInLocked()
			default:
				c.absorbLocked(into, n)
			}
			if c.closed { // meanwhile, and the descriptors of what came have been discarded: see adopt
				return net.ErrClosed
			}
			if c.in.box.ResetFirst() {
				return c.in.end()
			}
			return nil
		}
		if c.in.box.Ending() && !looked { // behind the end there may be a reset
			looked = true
			c.takeInLocked()
			if c.in.box.Ready() {
				return nil
			}
		}
		if err := c.in.end(); err != nil && c.typ != sock.Datagram { // to a datagram socket its peer's end is no news (row 120)
			return err
		}
	}
}

// standAsideLocked waits as long as this end is being moved, and reports whether it was.
func (c *Conn) standAsideLocked(into []byte) (moved bool) {
	for c.in.paused && c.readStoppedLocked() == nil { // what comes of it?
		c.in.box.Settle(into)
		c.lookedLocked()
		c.leaveLocked() // it may have had the pipe, and whoever moves the end waits for what that brings
		c.in.cond.Wait()
		moved = true
	}
	c.in.looking = true
	return moved
}

// lookedLocked notes that the one Read decides by nothing that it has seen before.
func (c *Conn) lookedLocked() {
	if c.in.looking && c.in.paused {
		c.wakeWaitsLocked()
	}
	c.in.looking = false
}

// duplicated replaces the queue's descriptors in r by duplicates (row 33), or by the news that there is no room for them.
func duplicated(r sock.Result) sock.Result {
	if r.Rights == nil {
		return r
	}
	set, err := r.Rights.(*descriptor.Set).Dup()
	if err != nil {
		r.Rights, r.Lost = nil, true
		return r
	}
	r.Rights = set
	return r
}

// end translates how reading has ended; nil if it has not.
func (in *inbox) end() error {
	switch in.box.End() {
	case sock.EOF:
		return io.EOF
	case sock.ConnReset:
		return syscall.ECONNRESET
	case sock.Failed:
		return in.failure
	}
	return nil
}

// credentials returns those that a message carries, if anybody wants them: of the process that had the other end when it was written.
func (c *Conn) credentials(writer uint32) *cred.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pass {
		return nil
	}
	return c.in.writer(writer)
}

// writer returns the credentials with this number; nobody's for 0.
func (in *inbox) writer(n uint32) *cred.Credentials {
	who := nobody
	if 0 < n && int(n) <= len(in.writers) {
		who = in.writers[n-1]
	}
	return &who
}

// writing is the number of the process that writes now.
func (in *inbox) writing() uint32 { return uint32(len(in.writers)) }

// nobody is what Linux says of a message that was sent before anybody asked for credentials (row 66).
var nobody = cred.Credentials{UID: 65534, GID: 65534}

// SetPassCredentials makes messages carry their sender's credentials: those that are sent once it has returned.
func (c *Conn) SetPassCredentials(on bool) error {
	c.lockToWrite()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.pass, c.out.owed.pass = on, on
	c.in.box.TellApart(on)
	c.tellLocked(sock.DebtOptions)
	return nil
}

// PeerCredentials returns the process that was at the other end when the connection was made, as the system knows it; after Close,
// too.
func (c *Conn) PeerCredentials() (cred.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.opener, nil
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when reads give up.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.in.deadline.set(t)
	return nil
}

// SetWriteDeadline sets when writes give up.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.out.deadline.set(t)
	return nil
}

// Packets returns how many packets this end has sent and received since the handshake.
func (c *Conn) Packets() (sent, received uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.packets, c.in.packets, true
}

// Transport is the pipe transport.
func (c *Conn) Transport() transport.ID { return transport.Pipe }

// LocalAddr returns the name of this end.
func (c *Conn) LocalAddr() *net.UnixAddr { return c.local }

// RemoteAddr returns the name of the other end.
func (c *Conn) RemoteAddr() *net.UnixAddr { return c.remote }

// SyscallConn gives access to this end of the message pipe. Whoever reads or writes it breaks the connection.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.pipe.SyscallConn(), nil }
