package endpoint

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
)

// This file is about leaving (P8): what moves over a connection, and how a connection itself is quieted, stays or goes.

// A departure is an attempt to move ends over a connection.
type departure struct {
	carrier *Conn   // nil for one that a child process inherits
	ends    []mover // in the order in which they began to depart
	guests  []mover // to be nudged when the carrier may not be able to send any more; guarded by its lock
}

// A mover is an end that can move. Its methods are called in this order: begin, ready, pack; then either stay or, once it has
// arrived, moved; and at last release.
type mover interface {
	// begin makes it do nothing new, and tells whoever has to know. One that has come over itself waits until its former owner has let go of
	// it (see settle), as long as the carrier can send. EBADF: it is closed, or being moved already.
	begin(d *departure) error
	// ready waits until nothing is under way. The error is why the departure has to end.
	ready(d *departure) error
	// pack says what it is made of.
	pack(p *parcel) error
	// stay undoes all this.
	stay()
	// moved makes it behave as closed.
	moved()
	// release lets go of what this process has of it.
	release()
	// nudge makes it look whether its carrier can still send.
	nudge()
	// start makes it live in the process that it has come to.
	start()
	// receives reports whether it is the socket with this number.
	receives(id uint64) bool
	descriptor.End
}

var errCycle = errors.New("an end would wait in its own queue")

// begin begins to move e.
func (d *departure) begin(e mover) error {
	if d.carrier != nil && e.receives(d.carrier.peerID) {
		return errCycle
	}
	d.watches(e)
	if err := e.begin(d); err != nil {
		return err
	}
	d.ends = append(d.ends, e)
	return nil
}

// watches makes e look around from now on when the carrier may not be able to send any more.
func (d *departure) watches(e mover) {
	if d.carrier == nil {
		return
	}
	d.carrier.mu.Lock()
	defer d.carrier.mu.Unlock()
	d.guests = append(d.guests, e)
}

// stay gives up.
func (d *departure) stay() {
	for _, e := range d.ends {
		e.stay()
	}
}

// watch waits on cond until done, as long as the carrier can send. The caller holds the lock of cond, which guards nudged, too.
func (d *departure) watch(cond *sync.Cond, nudged *bool, done func() bool) error {
	for *nudged = true; !done(); {
		if !*nudged {
			cond.Wait()
			continue
		}
		*nudged = false
		cond.L.Unlock()
		err := d.stopped()
		cond.L.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// stopped says why the carrier's send has to end.
func (d *departure) stopped() error {
	c := d.carrier
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeStoppedLocked()
}

// nested gets the ends ready that wait in the queue of c. EAGAIN: some have come with the first piece of a datagram, which its sender may
// still take back.
func (d *departure) nested(c *Conn) error {
	if c.link != nil && len(c.link.ends) > 0 {
		return syscall.EAGAIN
	}
	c.mu.Lock()
	_, segments := c.in.box.Look()
	c.mu.Unlock()
	for i := range segments {
		for _, e := range ends(&segments[i]) {
			if err := d.begin(e); err != nil {
				return err
			}
			if err := e.ready(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// ends are those among the descriptors of s.
func ends(s *sock.Segment) (movers []mover) {
	if s.Rights == nil {
		return nil
	}
	for _, e := range s.Rights.(*descriptor.Set).Ends() {
		movers = append(movers, e.(mover))
	}
	return movers
}

// mate returns the other end of c, if that moves, too, and does not read any more. It never sends anything else.
func (d *departure) mate(c *Conn) *Conn {
	for _, e := range d.ends {
		m, ok := e.(*Conn)
		if ok && m != c && m.id == c.peerID && m.peerID == c.id && m.server != c.server && m.hasEnded() {
			return m
		}
	}
	return nil
}

// hasEnded reports whether c is not read any more.
func (c *Conn) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.turn.over
}

// over reports whether c is moved over itself.
func (d *departure) over(c *Conn) bool { return d.carrier == c }

// route is how c moves, as its peer hears of it.
func (d *departure) route(c *Conn) sock.Route {
	if d.over(c) {
		return sock.Itself
	}
	return sock.Elsewhere
}

func (c *Conn) receives(id uint64) bool { return c.id == id }

// alive waits until c is live, or closed.
func (c *Conn) alive(d *departure) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.nudged = true
	return c.watchLocked(d, func() bool { return c.out.shift.Lives() || c.closed })
}

func (c *Conn) begin(d *departure) error {
	if err := c.alive(d); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.in.paused || !c.out.shift.Begin(d.route(c)) {
		return syscall.EBADF
	}
	c.in.paused, c.out.nudged = true, true
	c.wakeReadsLocked()
	c.wakeWritesLocked() // what is loaded is taken back
	return nil
}

// nudge makes the mover of c look whether its carrier can still send.
func (c *Conn) nudge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.nudged = true
	c.wakeWaitsLocked() // and not its guests: it is one itself, if it moves over itself
}

// watchLocked waits for something about c, as long as the carrier can send. done is called with mu
// held.
func (c *Conn) watchLocked(d *departure, done func() bool) error {
	w := wait{c: c}
	defer w.endLocked()
	late := absence{c: c}
	defer late.end()
	for !done() {
		if late.passed() {
			return syscall.EAGAIN
		}
		if d.over(c) && c.out.shift.Held() {
			return errShifted // the other end is about to come here over this connection, too
		}
		if c.out.nudged {
			c.out.nudged = false
			c.mu.Unlock()
			err := d.stopped()
			c.mu.Lock()
			if err != nil {
				return err
			}
			continue
		}
		if d.carrier == nil && c.out.deadline.expired { // it has no other
			return os.ErrDeadlineExceeded
		}
		w.moreLocked()
	}
	return nil
}

// quiet reports whether nothing of this side's is half done.
func (o *outbox) quiet() bool {
	return !o.pen && (o.severed || o.shift.Quiet() && !o.full)
}

// answered reports whether there has been a hello since ours, or none will come.
func (o *outbox) answered() bool { return o.shift.Answered() || o.severed || o.box.Gone() }

func (c *Conn) ready(d *departure) error {
	if err := c.announce(d); err != nil {
		return err
	}
	if !d.over(c) {
		c.drain()
	}
	if err := d.nested(c); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.watchLocked(d, func() bool { // what reading it has made us owe
		c.payLocked()
		return c.out.quiet() && (c.out.severed || !c.out.owed.Any() || c.out.shift.Held())
	})
	if err != nil || d.over(c) {
		return err
	}
	c.out.shift.Detach()
	if c.out.severed {
		return nil
	}
	return c.flushedLocked(d)
}

// flushedLocked waits until the pipe has room: what it has taken and not made room for is lost with
// the process that wrote it (Windows).
func (c *Conn) flushedLocked(d *departure) error {
	done := false
	go func() {
		_ = c.pipe.WaitWritable() // after an error there is nobody who could miss anything
		c.mu.Lock()
		defer c.mu.Unlock()
		done = true
		c.wakeWritesLocked()
	}()
	return c.watchLocked(d, func() bool { return done })
}

// announce tells the peer, once nothing is half done.
func (c *Conn) announce(d *departure) error {
	mate := d.mate(c) // it answers no more
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		err := c.watchLocked(d, func() bool { return !c.in.looking && c.out.quiet() && (mate != nil || c.out.answered()) })
		switch {
		case err != nil:
			return err
		case c.out.box.Gone() || c.out.severed:
			return nil // nobody is left to be told
		case mate != nil: // nothing is under way from there, and nobody listens
			c.out.shift.Announce()
			c.mu.Unlock()
			mate.mu.Lock()
			mate.out.shift.PeerLeft()
			mate.mu.Unlock()
			c.mu.Lock()
			return nil
		case !c.out.shift.Abroad():
			return c.requestLocked(d)
		case c.leaveWordLocked():
			return nil
		}
	}
}

// leaveWordLocked tells whoever will have the other end, which is away, that this one moves.
// Nothing is waited for, since there may be nobody for a long time; and nothing is under way from
// there, since its owner sends no descriptors before he has had a hello from here. His own comes in
// any case, and is answered by whoever has this end then, who says nothing before (see sock.Shift),
// unless he writes something (see presentLocked). It fails if the pipe is full. The caller has
// waited for the pen.
func (c *Conn) leaveWordLocked() bool {
	o := &c.out
	if !o.shift.Waits() { // else it has been said
		o.owed.OweMove(sock.Elsewhere)
		c.payLocked()
		if o.owed.Owes(sock.DebtMove) {
			o.owed.Strike(sock.DebtMove)
			return false
		}
	}
	o.shift.LeaveWord()
	return true
}

// requestLocked tells the peer that this end moves, and waits until it has taken note of it. The
// caller has waited for the pen.
func (c *Conn) requestLocked(d *departure) error {
	t := c.out.owed.Ask(sock.DebtMove)
	c.out.owed.OweMove(d.route(c))
	c.out.shift.Announce()
	c.payLocked()
	return c.watchLocked(d, func() bool { return t.Fate != sock.Written || c.out.severed })
}

// stay makes c what it was. The peer, if it has been told, gets another hello.
func (c *Conn) stay() {
	proof, err := c.pipe.Proof()
	c.lockToWrite()
	if c.out.shift.Stay() && err == nil { // else the pipe is closed
		c.greetLocked(proof)
	}
	c.payLocked()
	c.wakeWritesLocked()
	closed := c.resumeLocked()
	broke := c.in.failure != nil
	left := c.takeLeftLocked()
	c.mu.Unlock()
	switch {
	case closed:
		c.depose(false)
		return
	case broke:
		c.abandon(left)
	}
	c.catchUp() // the peer has not waited until this end had taken note of everything: see tellLocked
}

// resumeLocked starts the reader again that drain has ended. It reports whether Close was called
// meanwhile, or the end has been taken for moved.
func (c *Conn) resumeLocked() (closed bool) {
	c.in.paused = false
	if t := &c.in.turn; t.drained {
		t.over, t.draining, t.drained, t.kicked, t.resting = false, false, false, false, false
		t.glances = 0
		c.pipe.Resume()
		c.done = make(chan struct{})
		go c.run()
	}
	c.in.cond.Broadcast()
	return c.closed
}

// moved closes c without a goodbye.
func (c *Conn) moved() {
	c.lockToWrite()
	defer c.unlock()
	c.markClosedLocked()
	c.in.box.Close()
	c.in.farewell = true
	c.in.paused = false
	c.in.cond.Broadcast()
	c.out.shift.Detach()
}

func (c *Conn) release() {
	c.mu.Lock()
	itself := c.out.shift.Itself()
	c.mu.Unlock()
	if itself {
		c.drain()
		c.lockToWrite()
		c.out.shift.LetGo()
		c.payLocked()
		c.mu.Unlock()
	}
	c.dispose() // fails if the pipe broke before
}
