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
// goodbye. What is above it says what the conversation is about: the bytes and records of a Conn,
// or the datagrams of a link.
//
// The parts of a session share mu, and each changes its fields itself. A method whose name ends in
// Locked is called with mu held, and so is one that only asks. A function that releases mu
// meanwhile says so: whoever has called it looks again at what he decides by.
//
// What holds whenever mu is free, beside what turn and pen say:
//
//   - An end that is unborn has no goroutine, and reads nothing. Its peer hears nothing from it
//     (sock.HearsNothing). Nor does the peer of an end that is paused, once that is about to leave.
//   - An end that has moved is live and closed.
//   - The intake becomes farewell once, for ever. From then on nothing is being adopted, and what
//     comes is not queued.
//   - What in.box has placed lies in the buffer of the one who has the lock Conn.reading.
//   - What moves knows of a message is changed by the sending that there is.
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

	writing locks.Mutex[locks.Writing] // see sending

	// mu guards what follows. No call of the system is made under mu that may take long, or that
	// writes to the pipe or reads it.
	mu      locks.Mutex[locks.Session]
	closed  bool // by Close
	pass    bool // SO_PASSCRED
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
	embryo           // it has not been accepted: what comes has credentials in any case, as in the kernel
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

// unlock unlocks mu, and closes the descriptors that have been discarded meanwhile: there may be
// ends among them, whose locks are not taken under that of their carrier.
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

	told    *sock.Transfer // our Move, until the peer has taken note of it
	nudged  bool           // whoever moves this end has to look around
	nested  []move.End     // ends in the queue of this end when it came here, read since or not
	waiting []move.End     // ends that have come over the connection, and begin to live when the other end is let go
}
