package endpoint

import (
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/move"
	"afunix/internal/wire"
)

// This file is about a move as the peer takes part in it (P8):
//
//	this end                            the other end
//	Move                         ─▶     sends no more descriptors here, and acknowledges
//	      ◀─         acknowledgement    that none is under way
//	stops reading; the end's state goes to the new owner, by another connection (package move)
//	hello (moved)                ─▶     finds the new owner's process, and opens it
//	      ◀─                   hello
//	ready                        ◀▶     ready; descriptors may travel again
//
// What either side writes meanwhile, descriptors excepted, waits in the pipe for the next owner.
//
// An end that stays after all was expected to have a new owner. So its old owner says the hello
// that the new one would have said, and the peer answers. The end does not move again before that
// answer.
//
// Both ends can move at the same time. Each hello of an end that has moved is answered, and the
// last one counts. If both ends move over this very connection, the server's end moves first, and
// the client's end stays meanwhile.
//
// Package sock decides what comes when, and what may be said meanwhile (sock.Moves).

// peerMoves takes in that the other end is about to move, or has been let go.
func (v *moves) peerMoves(p *wire.Packet) error {
	c := v.c
	if p.Flags&wire.Gone != 0 {
		return v.peerLetGo()
	}
	if err := c.pipe.Expect(); err != nil {
		return err
	}
	c.pen.lock()
	defer c.mu.Unlock()
	if err := v.PeerMoves(p.Serial, p.Flags&wire.Itself != 0); err != nil {
		return err
	}
	c.out.forgetStraysLocked()
	var luggage unclaimed
	if !v.PeerWaits() {
		luggage = c.in.takeUnclaimedLocked(v.told != nil)
	}
	c.pen.payLocked()
	c.wakeWritesLocked() // whoever has loaded a message takes it back
	c.in.discardLocked(luggage)
	return nil
}

// rehello takes in a hello in the middle of a connection: of the process that the other end has
// moved to, or the answer to ours.
func (v *moves) rehello(p *wire.Packet) error {
	c := v.c
	moved := p.Flags&wire.Moved != 0
	h, err := wire.ParseHello(p.Payload)
	switch {
	case err != nil:
		return err
	case p.Flags&wire.FromServer != 0 == c.server:
		return errRole
	case h.SocketType != uint8(c.typ) || h.Socket != c.peer.id || !v.expects(moved):
		return errUnexpected
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
	if err := v.reacquaint(who, h.Window, moved); err != nil {
		return err
	}
	c.pen.lock()
	luggage, err := v.helloLocked(h.Rights, moved)
	if err == nil {
		c.peer.pass = p.Flags&wire.PassCredentials != 0
		c.peer.can = can
		c.pen.owed.able = can
		if moved {
			c.pen.owed.proof = proof // of the answer
		}
		c.pen.payLocked()
		c.wakeWritesLocked()
	}
	c.mu.Unlock()
	luggage.discard()
	return err
}

// helloLocked takes in that a hello has come, which allows so many descriptors. It returns luggage
// whose message will not come, as the sender hears by the answer. The pen is free.
func (v *moves) helloLocked(rights uint64, moved bool) (luggage unclaimed, err error) {
	c := v.c
	if err := c.out.box.Raise(rights); err != nil {
		return luggage, err
	}
	parked := v.parkedLocked()
	if moved && v.Expects(moved, parked) {
		luggage = c.in.takeUnclaimedLocked(v.told != nil) // while it is known how it came
	}
	if err := v.PeerHello(moved, parked); err != nil {
		return luggage, err
	}
	c.out.forgetStraysLocked()
	return luggage, nil
}

// expects reports whether such a hello can come now.
func (v *moves) expects(moved bool) bool {
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	return v.Expects(moved, v.parkedLocked())
}

// parkedLocked reports whether the other end has come here, and is not live.
func (v *moves) parkedLocked() bool { return len(v.waiting) > 0 }

// reacquaint notes who writes from now on, or who has been writing.
func (v *moves) reacquaint(who cred.Credentials, window uint32, moved bool) error {
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := len(c.peer.writers); {
	case moved && n >= maxWriters:
		return errUnexpected
	case moved && c.peer.writers[n-1] != who:
		c.peer.writers = append(c.peer.writers, who)
	case c.peer.alleged:
		c.peer.writers[n-1] = who
	}
	c.peer.alleged = false
	return c.in.box.SetWindow(window)
}

// maxWriters bounds how often an end moves between processes while its connection lasts.
const maxWriters = 1 << 16

// Start makes an end live that has moved here, with those in its queue. Before that, Close closes
// its pipe and nothing else.
func (c *session) Start() {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.stage = live
	}
	nested := c.moves.nested
	c.moves.nested = nil
	c.mu.Unlock()
	move.StartAll(nested) // somebody may have read them already
	if closed {
		return
	}
	c.mu.Lock()
	broke := c.in.failure
	if broke != nil {
		c.turn.endFirst()
	}
	c.moves.Live()
	c.pen.payLocked()
	c.wakeWritesLocked()
	c.mu.Unlock()
	if broke != nil {
		c.ended(broke)
	}
	go c.turn.run()
}

// came starts ends that have come over c, whose message has been acknowledged. One that has come
// over itself waits until it has been let go: until then its former owner reads it.
func (v *moves) came(ends []move.End) {
	if len(ends) == 0 {
		return
	}
	v.c.mu.Lock()
	if v.Held() {
		if !v.parkedLocked() {
			time.AfterFunc(patience, v.lookForOwner)
		}
		v.waiting = append(v.waiting, ends...)
		ends = nil
	}
	v.c.mu.Unlock()
	move.StartAll(ends)
}

// lookForOwner starts the ends that wait for a process that has ended meanwhile. That nothing can
// be learnt about it does not mean that it has: two processes must never read one end.
func (v *moves) lookForOwner() {
	c := v.c
	c.mu.Lock()
	waiting, severed := v.parkedLocked(), c.pen.severed()
	c.mu.Unlock()
	if !waiting {
		return
	}
	if _, err := c.pipe.Pull(noValue); err == syscall.ESRCH || severed {
		v.peerLetGo()
		return
	}
	time.AfterFunc(patience, v.lookForOwner)
}

// noValue is no descriptor of any process.
const noValue = 1<<31 - 4

// peerLetGo starts an end that has come over this connection, and is its other end.
func (v *moves) peerLetGo() error {
	c := v.c
	c.mu.Lock()
	arrived, rights := c.in.box.Arrived()
	serial, credit := c.in.adopted, c.in.box.Reported()
	ends := v.waiting
	if !v.PeerLetGo() {
		ends = nil
	}
	v.waiting = nil
	c.pen.payLocked()
	c.wakeWritesLocked()
	c.mu.Unlock()
	for _, e := range ends {
		if other, ok := e.(client); ok && other.base().id == c.peer.id {
			mate := other.base()
			mate.mu.Lock()
			mate.out.box.Follow(arrived, rights, serial, credit)
			mate.mu.Unlock()
		}
		e.Start()
	}
	return nil
}

// introduce gets ready for the hello of whoever has the other end, and says ours, unless that waits
// for it.
func (c *session) introduce() error {
	proof, err := c.pipe.Proof()
	if err == nil {
		err = c.pipe.Expect()
	}
	if err == nil && !c.moves.Waits() {
		c.moves.greetLocked(proof) // nobody else knows c yet
	}
	return err
}
