package endpoint

import (
	"math/rand/v2"
	"net"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/locks"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// A session is one end of a conversation over a message pipe: our packets, from the hello to the
// goodbye. What is above it says what the conversation is about: the bytes and records of a Conn, or
// the datagrams of a link.
//
// Its parts share mu. Each is changed by its own methods. Methods whose name ends in Locked are
// called with mu held, as are those that only ask. A function that releases mu meanwhile says so:
// whoever called it looks again at what it decides by.
//
// What holds whenever mu is free, beside what turn and pen say:
//
//   - The stage: an end that is unborn has no goroutine, reads nothing, and its peer hears nothing
//     from here; nor does the peer of one that is paused, once it is about to leave, or has left
//     (sock.HearsNothing). One that has moved is closed.
//   - The intake only goes forward to farewell, for ever: nothing is being adopted then, and what
//     comes is not queued. Like closed that is for ever.
//   - What in.box has placed lies in the buffer of the one who holds reading. What moves knows
//     of a message is changed by the writer.
type session struct {
	above  upper
	pipe   pipe.Pipe
	typ    sock.Type
	server bool   // this side created the pipe
	id     uint64 // tells the socket from others, in its hello
	table  descriptor.Table
	world  *World // nil: ends do not move
	local  *net.UnixAddr
	remote *net.UnixAddr

	writing locks.Mutex[locks.Writing] // one writer at a time: see outbox.writer

	mu      locks.Mutex[locks.Session] // guards what follows. No call of the system that may take long, none that writes to the pipe or reads it, is made under it
	closed  bool                       // by Close
	pass    bool                       // SO_PASSCRED
	stage   stage
	custody custody
	turn    turn // who reads the pipe
	pen     pen  // who writes to it
	peer    peer // who is at the other end
	in      inbox
	out     outbox
	moves   moves // of either end
}

// A stage is how far the life of an end is in this process.
type stage uint8

const (
	live   stage = iota
	unborn       // it has moved here, and its former owner has not been told
	paused       // it is being moved: nothing is read
)

// A custody says whether an end's user has it.
type custody uint8

const (
	withUser custody = iota
	untaken          // it has moved here, and its user has not seen it
	embryo           // it has not been accepted: what comes has its sender's credentials all the same, as in the kernel
)

// setUp makes c a session below a, over p. Its hello is still to come. It takes up to rights
// descriptors ahead of its reader.
func (c *session) setUp(a upper, p pipe.Pipe, cfg Config, server bool, rights int) {
	c.above, c.pipe, c.typ, c.server, c.table, c.world = a, p, cfg.Type, server, cfg.table(), cfg.World
	c.turn.c, c.pen.c, c.in.c, c.out.c, c.moves.c = c, c, c, c, c
	c.turn.done = make(chan struct{})
	c.id = randomID()
	c.local, c.remote = address(cfg.Type, cfg.Local), address(cfg.Type, "")
	c.in.cond.L, c.out.cond.L, c.turn.relief.L = &c.mu, &c.mu, &c.mu
	c.in.deadline.mu, c.in.deadline.wake = &c.mu, c.turn.wakeReadsLocked
	c.out.deadline.mu, c.out.deadline.wake = &c.mu, c.wakeWritesLocked
	c.in.box = sock.NewInbox(cfg.Type, rights)
	c.in.buffer = sock.DefaultBuffer
	c.out.box = sock.NewOutbox(cfg.Type)
	c.moves.Moves = sock.NewMoves(&c.pen.owed.Debts, server)
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
	c.turn.catchUp() // what was sent before
	c.mu.Lock()
	defer c.mu.Unlock()
	c.custody = withUser
	c.in.box.Grant(sock.RightsWindow)
	c.pen.creditWhatIsDueLocked()
}

// wakeWritesLocked makes every call that waits for the sending half look around, and whoever moves
// over it. It is not called by whoever reads the pipe.
func (c *session) wakeWritesLocked() {
	c.turn.wakeWritesLocked()
	c.out.nudgeGuests()
}

// randomID tells sockets apart.
func randomID() uint64 { return rand.Uint64() | 1 }

// moves is what a session knows of moves, and of the ends that wait for one to be over.
type moves struct {
	sock.Moves
	c *session

	nudged  bool       // whoever moves this end has to look around
	nested  []move.End // ends that came in the queue of one that has moved here, whether they have been read or not
	waiting []move.End // ends that have come over the connection, and are to be started when the other end is let go
}
