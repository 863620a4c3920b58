package endpoint

import (
	"errors"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/wire"
)

// This file is about an end that moves to another process (P8), as its connection sees it:
//
//	this end                            the other end
//	Move                         ─▶     sends no more descriptors here, and acknowledges
//	      ◀─         acknowledgement    that there are none under way
//	stops reading; its state goes to the new owner by another connection (parcel.go, unpack.go)
//	hello (moved)                ─▶     finds the new owner's process, and opens it
//	      ◀─                   hello
//	ready                        ◀▶     ready; descriptors may travel again
//
// What either side writes meanwhile, descriptors excepted, waits in the pipe for whoever will read it. If the end stays after all, its
// owner says hello as the new one would; and he, or the new one, moves it again when that has been answered. Both ends can move at the same
// time: each hello of an end that moved is answered, and the last one counts. If both move over this very connection, the server's moves
// first, and the client's stays meanwhile.

// shift is what a connection's sending half knows of moves, of either end.
type shift struct {
	any      bool   // there has been a move: hellos and ready packets may come
	away     bool   // the other end is moving, and its new owner has not said hello
	held     bool   // … over this very connection: hardly anything is said until it has been let go: see next
	taken    bool   // … and it has come
	serial   uint64 // of the peer's Move, to be acknowledged as soon as nothing is loaded; 0: there is none
	asked    bool   // we have said hello of an end that moved, and may get an answer
	deferred bool   // … and will say it when whoever has the other end has, or before anything of the user's: see leaveWordLocked
	greeting bool   // we have said hello, and not heard one since
	loaded   bool   // a message's descriptors have been duplicated for the peer, and it has not been written
	begun    bool   // a message has been written in part

	paused    bool // this end is being moved: no message begins
	wasReady  bool // … as ready was before, or has become
	announced bool // … and the peer is to be told, or has been
	detached  bool // … and nothing is written to the pipe any more
	nudged    bool // the mover has to look around

	itself bool // … over itself

	hosted  []*departure // over this connection
	waiting []mover      // ends that have come over it, and are to be started when the other end is let go
}

// stops reports whether no packet of the user's can be written now. A message whose luggage has been written is what the peer's Move waits for:
// see letGoLocked.
func (s *shift) stops(begun bool) bool {
	return s.held && !(begun && s.loaded) || s.detached || s.paused && !begun
}

// abroad reports whether the other end may be in nobody's hands.
func (s *shift) abroad() bool { return s.away && !s.held }

// errShifted: the peer's end is moving, so descriptors have to be duplicated for another process.
var errShifted = errors.New("the peer is moving")

// peerMoves takes in that the other end is about to move, or has been let go.
func (c *Conn) peerMoves(p *wire.Packet) error {
	if p.Flags&wire.Gone != 0 {
		return c.peerLetGo()
	}
	if err := c.pipe.Expect(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.out.shift
	if s.away || p.Serial == 0 && !s.asked && !c.out.leaving() { // without one it is for an end that was away: see leaveWordLocked
		return errUnexpected
	}
	itself := p.Flags&wire.Itself != 0
	s.any, s.away, s.serial = true, true, p.Serial
	if crossed := itself && s.itself && c.out.leaving(); !crossed || !c.server { // else the other end gives way: see watch
		s.held, s.taken = itself, false
		c.out.ready, s.wasReady = false, false
	}
	c.letGoLocked()
	c.wakeWritesLocked() // whoever has loaded a message takes it back
	return nil
}

// letGoLocked acknowledges the peer's Move once nothing is on its way to the process that has the other end now.
func (c *Conn) letGoLocked() {
	if s := &c.out.shift; s.serial != 0 && !s.loaded {
		serial := s.serial
		s.serial = 0
		c.acknowledgeLocked(serial)
	}
}

// rehello takes in a hello in the middle of a connection: of the process that the other end has moved to, or the answer to ours.
func (c *Conn) rehello(p *wire.Packet) error {
	moved := p.Flags&wire.Moved != 0
	h, err := wire.ParseHello(p.Payload)
	switch {
	case err != nil:
		return err
	case p.Flags&wire.FromServer != 0 == c.server:
		return errRole
	case h.SocketType != uint8(c.typ) || h.Socket != c.peerID || !c.expects(moved):
		return errUnexpected
	}
	if moved {
		c.unclaimed() // while it is known how it came: its message will not
	}
	who, can, err := c.pipe.Identify(h.Proof)
	if err != nil {
		return err
	}
	if err := c.pipe.Answer(); err != nil {
		return err
	}
	proof, err := c.pipe.Proof()
	if err != nil {
		return err
	}
	if err := c.reacquaint(who, h.Window, moved); err != nil {
		return err
	}
	c.lockToWrite()
	defer c.mu.Unlock()
	if err := c.out.box.Raise(h.Rights); err != nil {
		return err
	}
	c.out.peerPass = p.Flags&wire.PassCredentials != 0
	c.out.can = can
	s := &c.out.shift
	s.any = true
	switch {
	case moved:
		s.away, s.held, c.out.agreed = false, false, false // held: it has stayed after all
		c.answerLocked(proof)
	default:
		s.asked = false
	}
	if !c.out.leaving() && !s.away {
		c.out.owed.able = can
		c.out.owed.note(debtReady)
		s.greeting = false
	}
	c.payLocked()
	c.wakeWritesLocked()
	return nil
}

// answerLocked makes a hello the answer to that of an end that moved: also if this end has moved
// itself, and has said nothing yet. Who is about to have this end now answers instead, if it leaves.
func (c *Conn) answerLocked(proof []byte) {
	s := &c.out.shift
	deferred := s.deferred
	s.deferred = false
	switch {
	case c.out.leaving():
	case deferred:
		c.oweLocked(wire.Moved, proof)
	default:
		c.oweLocked(0, proof)
	}
}

// presentLocked says the hello that was deferred: what is written now is this process's, and not a
// former owner's.
func (c *Conn) presentLocked() error {
	c.mu.Unlock()
	proof, err := c.pipe.Proof()
	c.lockToWrite()
	if err != nil {
		return err
	}
	if s := &c.out.shift; s.deferred && !s.paused { // still
		s.deferred = false
		c.oweLocked(wire.Moved, proof)
	}
	return nil
}

// leaving reports whether the peer has been told that this end moves: it hears the next hello from whoever has the end then.
func (o *outbox) leaving() bool { return o.shift.paused && o.shift.announced && !o.owed.has(debtMove) }

// expects reports whether such a hello can come now.
func (c *Conn) expects(moved bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.out.shift
	return moved && s.away && len(s.waiting) == 0 || !moved && s.asked
}

// reacquaint notes who writes from now on, or who has been writing.
func (c *Conn) reacquaint(who cred.Credentials, window uint32, moved bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := len(c.in.writers); {
	case moved && n >= maxWriters:
		return errUnexpected
	case moved && c.in.writers[n-1] != who:
		c.in.writers = append(c.in.writers, who)
	case c.in.claimed:
		c.in.writers[n-1] = who
	}
	c.in.claimed = false
	return c.in.box.SetWindow(window)
}

// maxWriters bounds how often an end moves between processes while its connection lasts.
const maxWriters = 1 << 16

// oweLocked makes our hello the next thing that is said. It says all that an earlier one would have. The caller has waited for the pen.
func (c *Conn) oweLocked(flags uint8, proof []byte) {
	o := &c.out.owed
	o.hello |= flags
	o.proof = proof
	c.out.shift.asked = c.out.shift.asked || flags&wire.Moved != 0
	o.note(debtHello)
	c.out.shift.greeting = true
}

// rehelloPacketLocked is the hello that is owed.
func (c *Conn) rehelloPacketLocked() *wire.Packet {
	flags := c.out.owed.hello
	if c.server {
		flags |= wire.FromServer
	}
	return c.helloPacket(wire.HelloBody{Proof: c.out.owed.proof}, flags, "")
}

// start makes an end live that has moved here, with those in its queue. Before that, Close closes its pipe and nothing else.
func (c *Conn) start() {
	c.mu.Lock()
	closed := c.closed
	c.in.started = c.in.started || !closed
	nested := c.in.nested
	c.in.nested = nil
	c.mu.Unlock()
	startAll(nested) // somebody may have read them already
	if closed {
		return
	}
	c.mu.Lock()
	c.out.shift.detached = false
	c.payLocked()
	c.wakeWritesLocked()
	c.mu.Unlock()
	go c.run()
}

func startAll(ends []mover) {
	for _, e := range ends {
		e.start()
	}
}

// settle starts ends that have come over c, whose message has been acknowledged. One that has come over itself waits until it has been
// let go: until then its former owner reads it.
func (c *Conn) settle(ends []mover) {
	if len(ends) == 0 {
		return
	}
	c.mu.Lock()
	if s := &c.out.shift; s.held {
		if len(s.waiting) == 0 {
			time.AfterFunc(patience, c.lookForOwner)
		}
		s.waiting = append(s.waiting, ends...)
		ends = nil
	}
	c.mu.Unlock()
	startAll(ends)
}

// lookForOwner starts the ends that wait for a process that has ended meanwhile. That nothing can be learnt about it does not mean that it
// has: two processes must never read one end.
func (c *Conn) lookForOwner() {
	c.mu.Lock()
	waiting, severed := len(c.out.shift.waiting) > 0, c.out.severed
	c.mu.Unlock()
	if !waiting {
		return
	}
	if _, err := c.pipe.Pull(noValue); err == syscall.ESRCH || severed {
		c.peerLetGo()
		return
	}
	time.AfterFunc(patience, c.lookForOwner)
}

// noValue is no descriptor of any process.
const noValue = 1<<31 - 4

// peerLetGo starts an end that has come over this connection, and is its other end.
func (c *Conn) peerLetGo() error {
	c.mu.Lock()
	arrived, rights := c.in.box.Arrived()
	serial, credit := c.in.adopted, c.in.box.Reported()
	s := &c.out.shift
	ends := s.waiting
	if !s.held {
		ends = nil
	}
	s.held, s.waiting = false, nil
	c.payLocked()
	c.wakeWritesLocked()
	c.mu.Unlock()
	for _, e := range ends {
		if mate, ok := e.(*Conn); ok && mate.id == c.peerID {
			mate.mu.Lock()
			mate.out.box.Follow(arrived, rights, serial, credit)
			mate.mu.Unlock()
		}
		e.start()
	}
	return nil
}
