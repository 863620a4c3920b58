package endpoint

import (
	"errors"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/pipe"
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

// What comes when, and what may be said meanwhile, is decided by sock.Shift.

// errShifted: the peer's end is moving, so descriptors have to be duplicated for another process.
var errShifted = errors.New("the peer is moving")

// errCrowded: there is no room for a message with ends of ours. They are what they were while it
// waits: whoever is to make room may be reading one of them.
var errCrowded = errors.New("ends do not wait for room")

// peerMoves takes in that the other end is about to move, or has been let go.
func (c *Conn) peerMoves(p *wire.Packet) error {
	if p.Flags&wire.Gone != 0 {
		return c.peerLetGo()
	}
	if err := c.pipe.Expect(); err != nil {
		return err
	}
	c.lockToWrite()
	defer c.mu.Unlock()
	if err := c.out.shift.PeerMoves(p.Serial, p.Flags&wire.Itself != 0); err != nil {
		return err
	}
	c.payLocked()
	c.wakeWritesLocked() // whoever has loaded a message takes it back
	return nil
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
	if !moved && c.current() == who {
		can |= c.ability() // it may have died since, and what it sent before is no lie
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
	if err := c.out.shift.PeerHello(moved, c.parkedLocked()); err != nil {
		return err
	}
	c.out.owed.able = can
	if moved {
		c.out.owed.proof = proof // of the answer
	}
	c.payLocked()
	c.wakeWritesLocked()
	return nil
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
	if c.out.shift.Presents() { // still
		c.greetLocked(proof)
	}
	return nil
}

// expects reports whether such a hello can come now.
func (c *Conn) expects(moved bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.shift.Expects(moved, c.parkedLocked())
}

// parkedLocked reports whether the other end has come here, and is not live.
func (c *Conn) parkedLocked() bool { return len(c.out.waiting) > 0 }

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

// ability is what this side could do to the peer so far.
func (c *Conn) ability() pipe.Ability {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.can
}

// maxWriters bounds how often an end moves between processes while its connection lasts.
const maxWriters = 1 << 16

// greetLocked makes our hello the next thing that is said. The caller has waited for the pen.
func (c *Conn) greetLocked(proof []byte) {
	c.out.owed.proof = proof
	c.out.shift.Greet()
}

// rehelloPacketLocked is the hello that is owed.
func (c *Conn) rehelloPacketLocked(moved bool) wire.Packet {
	flags := flag(moved, wire.Moved) | flag(c.server, wire.FromServer)
	return *c.helloPacket(wire.HelloBody{Proof: c.out.owed.proof}, flags, "")
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
	broke := c.in.failure
	c.in.turn.over = broke != nil
	c.out.shift.Live()
	c.payLocked()
	c.wakeWritesLocked()
	c.mu.Unlock()
	if broke != nil {
		c.ended(broke)
	}
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
	if c.out.shift.Held() {
		if !c.parkedLocked() {
			time.AfterFunc(patience, c.lookForOwner)
		}
		c.out.waiting = append(c.out.waiting, ends...)
		ends = nil
	}
	c.mu.Unlock()
	startAll(ends)
}

// lookForOwner starts the ends that wait for a process that has ended meanwhile. That nothing can be learnt about it does not mean that it
// has: two processes must never read one end.
func (c *Conn) lookForOwner() {
	c.mu.Lock()
	waiting, severed := c.parkedLocked(), c.out.severed
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
	ends := c.out.waiting
	if !c.out.shift.PeerLetGo() {
		ends = nil
	}
	c.out.waiting = nil
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
