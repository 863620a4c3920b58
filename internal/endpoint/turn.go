package endpoint

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A turn says who reads the pipe: the connection's reader goroutine, or a call of the user's that waits for what the pipe brings: a
// Read for data, a Write for credit, a WriteMsg for its acknowledgement.
//
// To be woken by the reader costs such a call more than the system calls themselves (a switch between goroutines, and most often
// the start of another thread). So once the reader has served somebody who waited, it rests, and the next call that has to
// wait reads the pipe itself. It does there all that the reader would do. A user who makes no more calls must not stop the transport
// (P5): the reader takes over again when nobody has come back for a while, and at once when somebody has to wait for what the
// pipe brings while nobody reads it.
type turn struct {
	relief   sync.Cond   // the reader rests on it
	resting  bool        // the reader rests: only a call reads the pipe
	busy     bool        // somebody is reading it
	claims   int         // how many wait for him to leave it to them
	writer   bool        // … who waits for something else than data
	kicked   bool        // … and has been interrupted to look around
	draining bool        // the pipe is interrupted for good: see drain
	drained  bool        // … and that is why nothing will come
	glances  int         // how many packets came while it was
	served   bool        // somebody has got what he waited for
	over     bool        // nothing will come any more
	needed   int         // how many wait on out.cond for what the pipe brings
	visits   uint        // how many calls have left
	seen     uint        // visits when patrol was armed
	armed    bool        // patrol is
	patrol   *time.Timer // looks whether the pipe is unattended
}

// unattended is how long the pipe may go unread after a call. Nobody in this process waits for it then.
const unattended = 4 * time.Millisecond

// run is the reader: it takes every packet as soon as it is there, until the connection ends.
func (c *session) run() {
	defer close(c.done)
	t := &c.in.turn
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for (t.resting || t.busy) && !t.over {
			t.relief.Wait()
		}
		if t.over {
			return
		}
		t.served = false
		c.turnLocked(nil)
		if t.served && !c.closed && !t.draining { // drain waits until the reader is done
			c.restLocked()
		}
	}
}

// restLocked leaves the pipe to whoever waits. Each of them looks whether it is for him to read it.
// The caller is the reader.
func (c *session) restLocked() {
	t := &c.in.turn
	t.resting = true
	if !t.armed {
		c.armLocked() // whoever has been served may have left already
	}
	c.in.cond.Broadcast()
	if t.needed > 0 {
		c.out.cond.Broadcast()
	}
}

// free reports whether a call may read the pipe.
func (t *turn) free() bool { return t.resting && !t.busy && t.claims == 0 && !t.over }

// awaitLocked waits until something may have happened. The caller is the one Read, of which b is
// the buffer, or nil if nothing may be put there yet. It reports whether whatever is in the queue
// now came during a wait for it, so that nothing else was there before.
func (c *session) awaitLocked(b []byte) (fresh bool) {
	c.in.waiting = true
	if c.in.turn.free() {
		if c.in.box.Queued() {
			b = nil // pieces of a record come first
		}
		c.turnLocked(b)
		fresh = c.pipe.Waited()
	} else {
		c.in.cond.Wait()
	}
	c.in.waiting = false
	return fresh
}

// absorbLocked takes what is in the pipe already into the queue, as far as it matters to a read of
// n bytes: recvmsg(2) merges all that was written to a stream before it (row 134), and reports a
// reset before records that are queued. It may place bytes in into, if that is not nil. The caller
// is the one Read.
func (c *session) absorbLocked(into []byte, n int) {
	t := &c.in.turn
	if !c.in.box.Wants(n) || t.over || c.closed {
		return
	}
	c.takeOverLocked()
	for range maxGlances {
		if t.over || c.closed || !c.in.box.Wants(n) {
			return
		}
		var rest []byte
		if into != nil && c.typ == sock.Stream {
			rest = into[c.in.box.Bytes():] // everything before it will be taken by this Read: see Wants
		}
		if !c.turnNowLocked(rest) {
			return
		}
	}
}

// takeOverLocked makes the reader rest. If a Read comes to wait for what the pipe brings, it is
// left to that.
func (c *session) takeOverLocked() {
	t := &c.in.turn
	t.claims++ // or a writer who was interrupted might be back before us, for ever
	defer func() { t.claims-- }()
	for t.busy && !t.over && !c.in.waiting {
		t.resting = true
		c.kickLocked()
		c.in.cond.Wait()
	}
}

// catchUp takes in what is in the pipe already, unless a call is reading that anyway.
func (c *session) catchUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUpLocked()
}

func (c *session) catchUpLocked() {
	t := &c.in.turn
	if t.resting && t.busy {
		return
	}
	rested := t.resting
	c.takeInLocked()
	if !rested {
		t.relieve()
	}
	c.leaveLocked()
}

// takeInLocked takes in what is in the pipe, unless another call is reading it.
func (c *session) takeInLocked() {
	c.takeOverLocked()
	t := &c.in.turn
	for n := 0; n < maxGlances && !t.busy && !t.over && !c.closed && c.turnNowLocked(nil); n++ {
	}
}

// maxGlances bounds how many packets a call takes in that wants to know what is in the pipe. It is more than a peer that keeps to the rules can
// have there, a window of the smallest ones; but of admin packets there may be no end.
const maxGlances = 1 << 12

// turnLocked reads one packet from the pipe, with mu released, and applies it. If into is not nil,
// and large enough for this to be worth it, payload is put right there.
func (c *session) turnLocked(into []byte) {
	err := c.takeLocked(into, true)
	c.endTurnLocked(err, err == nil)
}

// turnNowLocked is turnLocked without waiting. It reports whether there was a packet.
func (c *session) turnNowLocked(into []byte) bool {
	if !c.in.started {
		return false // its former owner may be reading it
	}
	err := c.takeLocked(into, false)
	none := err == syscall.EAGAIN
	if none {
		err = nil
	}
	c.endTurnLocked(err, !none && err == nil)
	return !none
}

// endTurnLocked notes how a turn went, and whether it brought a packet.
func (c *session) endTurnLocked(err error, packet bool) {
	t := &c.in.turn
	if packet {
		c.in.packets++
		if t.draining {
			if t.glances++; t.glances >= maxGlances {
				err = os.ErrDeadlineExceeded // as if there were no more
			}
		}
	}
	t.busy = false
	if t.kicked && !t.draining {
		c.pipe.Resume()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	t.kicked = false
	if err != nil {
		t.over = true
		t.drained = errors.Is(err, os.ErrDeadlineExceeded)
		c.in.cond.Broadcast()
	}
	if t.over || !t.resting {
		t.relief.Signal()
	}
	c.in.cond.Broadcast() // a Read may wait for its turn, and a catchUp for the end of this one
}

// worthPlacing is the length from which on copying a payload costs more than reading it in parts.
const worthPlacing = 4096

// takeLocked reads one packet, waiting for it or not, and applies it. After an error other than an
// interruption, which is our own, and EAGAIN, nothing will come any more.
func (c *session) takeLocked(into []byte, wait bool) error {
	if len(into) < worthPlacing {
		into = nil
	}
	c.in.turn.busy = true
	c.mu.Unlock()
	buf, n, placed, err := c.read(into, wait)
	if placed > 0 && !wire.Bare(buf[:n]) {
		copy(buf[wire.HeaderLen:], into[:placed]) // not payload
		placed = 0
	}
	c.mu.Lock()
	if err == nil {
		err = c.packetLocked(buf, n, placed)
	}
	if err != nil && err != syscall.EAGAIN && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.mu.Unlock()
		c.ended(err)
		c.mu.Lock()
	}
	return err
}

func (c *session) read(into []byte, wait bool) (buf *pipe.Buffer, n, placed int, err error) {
	if wait {
		return c.pipe.Read(&packets, into)
	}
	return c.pipe.ReadNow(&packets, into)
}

// leaveLocked ends a call that may have read the pipe. From here on that may be unattended.
func (c *session) leaveLocked() {
	t := &c.in.turn
	t.visits++
	switch {
	case !t.free():
	case t.needed > 0 || c.closed:
		t.relieve()
	case !t.armed:
		c.armLocked()
	}
}

// armLocked makes the patrol come by.
func (c *session) armLocked() {
	t := &c.in.turn
	t.armed, t.seen = true, t.visits
	if t.patrol == nil {
		t.patrol = time.AfterFunc(unattended, c.lookAfter)
	} else {
		t.patrol.Reset(unattended)
	}
}

// lookAfter is the patrol: without a call since it was armed, the reader takes over.
func (c *session) lookAfter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.in.turn
	t.armed = false
	switch {
	case !t.resting || t.busy || t.over: // attended; whoever is there now says when he leaves
	case t.visits != t.seen:
		c.armLocked()
	default:
		t.relieve()
	}
}

// relieve makes the reader take over as soon as nobody else is reading.
func (t *turn) relieve() {
	t.resting = false
	t.relief.Signal()
}

// A wait is a call's wait for what the pipe brings for the sending half.
type wait struct {
	c     *session
	begun bool
}

// moreLocked waits until something may have happened.
func (w *wait) moreLocked() {
	c, t := w.c, &w.c.in.turn
	w.begun = true
	if t.free() {
		t.writer = true
		c.turnLocked(nil)
		t.writer = false
		return
	}
	t.needed++
	c.out.cond.Wait()
	t.needed--
}

// endLocked ends the call.
func (w *wait) endLocked() {
	if w.begun {
		w.c.leaveLocked()
	}
}

// wakeWritesLocked makes every call that waits for the sending half look around, and whoever moves
// over it. The caller is not reading the pipe.
func (c *session) wakeWritesLocked() {
	c.wakeWaitsLocked()
	c.out.nudgeGuests()
}

// wakeWaitsLocked makes every call that waits for the sending half look around. The caller is not
// reading the pipe.
func (c *session) wakeWaitsLocked() {
	c.out.cond.Broadcast()
	if t := &c.in.turn; t.writer && t.busy {
		c.kickLocked()
	}
}

// wakeReadsLocked makes every Read look around.
func (c *session) wakeReadsLocked() {
	c.in.cond.Broadcast()
	if t := &c.in.turn; t.resting && t.busy {
		c.kickLocked()
	}
}

// kickLocked makes whoever reads the pipe come back once it is empty.
func (c *session) kickLocked() {
	if t := &c.in.turn; !t.kicked {
		t.kicked = true
		c.pipe.Interrupt()
	}
}
