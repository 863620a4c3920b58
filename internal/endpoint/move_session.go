package endpoint

import (
	"os"
	"sync"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// This file is about an end of a connection that moves to another process (P8): how it is quieted,
// what it is made of, and how it stays or goes. See move.End.

// watchLocked waits on cond, whose lock guards nudged, until done, as long as the carrier of m can
// send.
func watchLocked(m *move.Outgoing, cond *sync.Cond, nudged *bool, done func() bool) error {
	for *nudged = true; !done(); {
		if !*nudged {
			cond.Wait()
			continue
		}
		*nudged = false
		cond.L.Unlock()
		err := m.Stopped()
		cond.L.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// nest gets the ends ready that wait in the queue of c. EAGAIN: some have come with the first piece
// of a datagram, which its sender may still take back.
func (v *moves) nest(m *move.Outgoing) error {
	c := v.c
	if c.above.revocable() {
		return syscall.EAGAIN
	}
	c.mu.Lock()
	_, segments := c.in.box.Look()
	c.mu.Unlock()
	for i := range segments {
		if err := m.Nest(move.Ends(segments[i].Rights)); err != nil {
			return err
		}
	}
	return nil
}

// mate returns the other end of c, if that moves with it, and does not read any more. It never
// sends anything else.
func (v *moves) mate(m *move.Outgoing) *session {
	c := v.c
	for _, e := range m.Ends() {
		other, ok := e.(client)
		if !ok {
			continue
		}
		if mate := other.base(); mate != c && mate.id == c.peer.id && mate.peer.id == c.id && mate.server != c.server && mate.hasEnded() {
			return mate
		}
	}
	return nil
}

// hasEnded reports whether c is not read any more.
func (c *session) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn.ended()
}

// over reports whether c is moved over itself.
func (v *moves) over(m *move.Outgoing) bool { return carrierOf(m) == v.c }

// route is how c moves, as its peer hears of it.
func (v *moves) route(m *move.Outgoing) sock.Route {
	if v.over(m) {
		return sock.Itself
	}
	return sock.Elsewhere
}

// Receives reports whether c is an end of the socket with this number.
func (c *session) Receives(id uint64) bool { return c.id == id }

// alive waits until c is live, or closed.
func (v *moves) alive(m *move.Outgoing) error {
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	v.nudged = true
	return v.watchLocked(m, func() bool { return v.Lives() || c.closed })
}

// Begin makes c quiet. One that has come over itself waits until its former owner has let go of it
// (see moves.came), as long as the carrier can send.
func (c *session) Begin(m *move.Outgoing) error {
	if err := c.moves.alive(m); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.stage == paused || !c.moves.Begin(c.moves.route(m)) {
		return syscall.EBADF
	}
	c.stage, c.moves.nudged = paused, true
	c.turn.wakeReadsLocked()
	c.wakeWritesLocked() // what is loaded is taken back
	return nil
}

// Nudge makes the mover of c look whether its carrier can still send.
func (c *session) Nudge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moves.nudged = true
	c.turn.wakeWritesLocked() // and not its guests: it is one itself, if it moves over itself
}

// watchLocked waits for something about c, as long as the carrier can send. done is called with mu
// held.
func (v *moves) watchLocked(m *move.Outgoing, done func() bool) error {
	c := v.c
	w := wait{c: c}
	defer w.endLocked()
	late := absence{c: c}
	defer late.end()
	for !done() {
		if late.passed() {
			return syscall.EAGAIN
		}
		if v.over(m) && v.Held() {
			return errMoving // the other end is about to come here over this connection, too
		}
		if v.nudged {
			v.nudged = false
			c.mu.Unlock()
			err := m.Stopped()
			c.mu.Lock()
			if err != nil {
				return err
			}
			continue
		}
		if carrierOf(m) == nil && c.out.deadline.expired { // it has no other
			return os.ErrDeadlineExceeded
		}
		w.moreLocked()
	}
	return nil
}

// quiet reports whether nothing of this side's is half done.
func (v *moves) quiet() bool {
	return v.c.pen.severed() || v.c.pen.idle() && v.Quiet()
}

// answered reports whether the peer has answered our last hello, or never will: see Moves.Answered.
func (v *moves) answered() bool {
	return v.Answered() || v.c.pen.severed() || v.c.out.box.Gone()
}

// acknowledged reports whether what has to be acknowledged before this end moves has been, or never
// will be. A Move is acknowledged behind everything else. One that is left for whoever comes is not
// acknowledged, but the process that has lost the other end reads everything before, and says so.
// Else what is parked here would be let go of, which hangs up the pipe.
func (v *moves) acknowledged() bool {
	return !v.Abroad() || v.c.out.box.Outstanding() == 0 || v.c.pen.severed() || v.c.out.box.Gone()
}

// Ready waits until nothing is under way, and the peer knows that c moves.
func (c *session) Ready(m *move.Outgoing) error {
	if err := c.moves.announce(m); err != nil {
		return err
	}
	if !c.moves.over(m) {
		c.turn.drain()
	}
	if err := c.moves.nest(m); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.moves.watchLocked(m, func() bool { // what reading it has made us owe
		c.pen.payLocked()
		return c.moves.quiet() && (c.pen.severed() || !c.pen.owed.Any())
	})
	if err != nil || c.moves.over(m) {
		return err
	}
	c.moves.Detach()
	if c.pen.severed() {
		return nil
	}
	return c.moves.flushedLocked(m)
}

// flushedLocked waits until the pipe has room: what it has taken and not made room for is lost with
// the process that wrote it (Windows).
func (v *moves) flushedLocked(m *move.Outgoing) error {
	c := v.c
	done := false
	go func() {
		_ = c.pipe.WaitWritable() // after an error there is nobody who could miss anything
		c.mu.Lock()
		defer c.mu.Unlock()
		done = true
		c.wakeWritesLocked()
	}()
	return v.watchLocked(m, func() bool { return done })
}

// announce tells the peer, once nothing is half done.
func (v *moves) announce(m *move.Outgoing) error {
	c := v.c
	mate := v.mate(m) // it answers no more
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		err := v.watchLocked(m, func() bool {
			return c.turn.oneRead == noRead && v.quiet() && (mate != nil || v.answered() && v.acknowledged())
		})
		switch {
		case err != nil:
			return err
		case c.out.box.Gone() || c.pen.severed():
			return nil // nobody is left to be told
		case mate != nil: // nothing is under way from there, and nobody listens
			v.Announce()
			c.mu.Unlock()
			mate.mu.Lock()
			mate.moves.PeerLeft()
			mate.mu.Unlock()
			c.mu.Lock()
			return nil
		case !v.Abroad():
			return v.requestLocked(m)
		case v.leaveWordLocked():
			return nil
		}
	}
}

// leaveWordLocked tells whoever will have the other end, which is away, that this one moves.
// Nothing is waited for, since there may be nobody for a long time; and nothing is under way from
// there, since its owner sends no descriptors before he has had a hello from here. His own comes in
// any case, and is answered by whoever has this end then, who says nothing before (see sock.Moves),
// unless he writes something (see presentLocked). It fails if the pipe is full. The pen is free.
func (v *moves) leaveWordLocked() bool {
	c := v.c
	if !v.Waits() { // else it has been said
		c.pen.owed.OweMove(sock.Elsewhere)
		c.pen.payLocked()
		if c.pen.owed.Owes(sock.DebtMove) {
			c.pen.owed.Strike(sock.DebtMove)
			return false
		}
	}
	v.LeaveWord()
	return true
}

// requestLocked tells the peer that this end moves, and waits until the peer has taken note of
// that. The pen is free.
func (v *moves) requestLocked(m *move.Outgoing) error {
	c := v.c
	t := c.pen.owed.Ask(sock.DebtMove)
	v.told = t
	c.pen.owed.OweMove(v.route(m))
	v.Announce()
	c.pen.payLocked()
	return v.watchLocked(m, func() bool { return t.Fate != sock.Written || c.pen.severed() })
}

// Kind is that of an end of a connection.
func (c *session) Kind() descriptor.Kind { return descriptor.Unix }

// Descriptor returns that of the pipe, which nobody closes while c is being moved. One that broke
// is closed already, or will be.
func (c *session) Descriptor() (uintptr, error) {
	c.mu.Lock()
	broke := c.in.failure != nil
	c.mu.Unlock()
	if broke {
		return 0, syscall.EBADF
	}
	return descriptorOf(c.pipe)
}

// descriptorOf returns the descriptor of a pipe that nobody else closes for the time being.
func descriptorOf(p pipe.Pipe) (v uintptr, err error) {
	if p.SyscallConn().Control(func(fd uintptr) { v = fd }) != nil {
		return 0, syscall.EBADF
	}
	return v, nil
}

// Pack says what c is made of.
func (c *session) Pack(m *move.Outgoing) error {
	s := c.state()
	return m.AddConn(&s)
}

// state returns the state of c. Its segments are still the Inbox's.
func (c *session) state() (s sock.ConnState) {
	s.Link = c.above.look()
	c.mu.Lock()
	defer c.unlock()
	if c.out.box.Apart() {
		c.in.box.Disconnect() // if part has not come to it
	}
	s.End = c.endStateLocked()
	s.Out, s.Moves = c.out.box.Look(), c.moves.Look()
	s.In, s.Segments = c.in.box.Look()
	return s
}

// endStateLocked returns what moves of c beside its halves.
func (c *session) endStateLocked() sock.EndState {
	s := sock.EndState{
		Type: c.typ, Server: c.server, ID: c.id, PeerID: c.peer.id, Local: sayable(c.local.Name), Remote: sayable(c.remote.Name),
		Pass: c.pass, PeerPass: c.peer.pass, Alone: c.pen.severed(), Embryo: c.custody == embryo,
		Chosen: string(c.pen.owed.name), PeerName: c.peer.name, Naming: c.peer.naming,
	}
	for _, w := range c.peer.writers {
		s.Writers = append(s.Writers, sock.Writer{PID: uint64(w.PID), UID: uint64(w.UID), GID: uint64(w.GID), SID: w.SID})
	}
	return s
}

// Stay makes c what it was. The peer, if it has been told, gets another hello.
func (c *session) Stay() {
	proof, err := c.pipe.Proof()
	c.pen.lock()
	if c.moves.stayLocked() && err == nil { // else the pipe is closed
		c.moves.greetLocked(proof)
	}
	c.pen.payLocked()
	c.wakeWritesLocked()
	closed := c.resumeLocked()
	broke := c.in.failure != nil
	var left []sock.Parked
	if !closed {
		left = c.out.takeKeptLocked()
	}
	c.mu.Unlock()
	switch {
	case closed:
		c.depose(false) // which lets go of what is kept, too
		return
	case broke:
		c.abandon(left)
	}
	c.turn.catchUp() // the peer has not waited until this end had taken note of everything: see tellLocked
}

// stayLocked is sock.Moves.Stay.
func (v *moves) stayLocked() (greet bool) {
	if v.c.pen.owed.Owes(sock.DebtMove) {
		v.told = nil // and never will be
	}
	return v.Stay()
}

// resumeLocked starts the reader again that drain has ended. It reports whether Close was called
// meanwhile, or the end has been taken for moved.
func (c *session) resumeLocked() (closed bool) {
	c.stage = live
	c.turn.resumeLocked()
	c.in.cond.Broadcast()
	return c.closed
}

// Moved closes c without a goodbye.
func (c *session) Moved() {
	c.pen.lock()
	defer c.unlock()
	c.markClosedLocked()
	c.in.box.Close()
	c.in.intake = farewell
	c.stage = live
	c.in.cond.Broadcast()
	c.moves.Detach()
}

// Release closes the pipe.
func (c *session) Release() {
	c.mu.Lock()
	itself := c.moves.Itself()
	c.mu.Unlock()
	if itself {
		c.turn.drain()
		c.pen.lock()
		c.moves.LetGo()
		c.pen.payLocked()
		c.mu.Unlock()
	}
	c.dispose() // fails if the pipe broke before
}
