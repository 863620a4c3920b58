package endpoint

import (
	"io"
	"net"
	"sync"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
)

// A session is one end of a conversation over a message pipe: our packets, from the hello to the
// goodbye. What is above it says what the conversation is about: the bytes and records of a Conn, or
// the datagrams of a link.
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
type session struct {
	above  upper
	pipe   pipe.Pipe
	typ    sock.Type
	server bool   // this side created the pipe
	id     uint64 // tells the socket from others, in its hello
	peerID uint64 // that of the peer
	table  descriptor.Table
	world  *World // nil: ends do not move
	local  *net.UnixAddr
	remote *net.UnixAddr

	writing locks.Mutex[locks.Writing] // one Write at a time, so that none is interleaved with another

	mu     locks.Mutex[locks.Session] // guards what follows. No call of the system that may take long, none that writes to the pipe or reads it, is made under it
	closed bool                       // by Close
	pass   bool                       // SO_PASSCRED
	in     inbox
	out    outbox

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
	severed  bool
	owed     owed
	settling []*message // whose copies are let go: see settleLocked
	head     []byte     // where the head of a packet is put together
	packets  uint64     // sent so far

	opener    cred.Credentials // the peer when the connection was made: SO_PEERCRED
	can       pipe.Ability     // ours over the peer
	shift     sock.Shift
	hosted    []*departure // that go over this connection
	waiting   []mover      // ends that have come over it, and are to be started when the other end is let go
	nudged    bool         // whoever moves this end has to look around
	sendRoute rights.Route
	recvRoute rights.Route

	peerPass bool // the peer wants credentials with messages: SO_PASSCRED

	left     error     // to a sender who finds the peer gone
	autobind Autobind  // nil if the socket has a name
	bound    io.Closer // to the one that it has chosen
}

// setUp makes c a session below a, over p. Its hello is still to come. It takes up to rights
// descriptors ahead of its reader.
func (c *session) setUp(a upper, p pipe.Pipe, cfg Config, server bool, rights int) {
	c.above, c.pipe, c.typ, c.server, c.table, c.world = a, p, cfg.Type, server, cfg.table(), cfg.World
	c.done = make(chan struct{})
	c.id = randomID()
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
	c.out.left = syscall.EPIPE
}

// base returns what a Conn, or a link, is made of.
func (c *session) base() *session { return c }

// unlock unlocks mu, and closes the descriptors that have been discarded meanwhile: there may be ends among them, whose locks are not taken
// under that of their carrier.
func (c *session) unlock() {
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

// accepted lets the peer send as many descriptors as to any connection.
func (c *session) accepted() {
	c.catchUp() // what was sent before
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.embryo = false
	c.in.box.Grant(sock.RightsWindow)
	c.creditWhatIsDueLocked()
}
