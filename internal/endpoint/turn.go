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
//
// It is guarded by inbox.mu.
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
	needed   int         // how many wait on outbox.cond for what the pipe brings
	visits   uint        // how many calls have left
	seen     uint        // visits when patrol was armed
	armed    bool        // patrol is
	patrol   *time.Timer // looks whether the pipe is unattended
}

// unattended is how long the pipe may go unread after a call. Nobody in this process waits for it then.
const unattended = 4 * time.Millisecond

// run is the reader: it takes every packet as soon as it is there, until the connection ends.
func (c *Conn) run() {
	defer close(c.done)
	t := &c.in.turn
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	for {
		for (t.resting || t.busy) && !t.over {
			t.relief.Wait()
		}
		if t.over {
			return
		}
		t.served = false
		c.turn(nil)
		if t.served && !c.in.closed && !t.draining { // drain waits until the reader is done
			c.rest()
		}
	}
}

// rest leaves the pipe to whoever waits. Each of them looks whether it is for him to read it. The caller is the reader, and
// holds in.mu.
func (c *Conn) rest() {
	t := &c.in.turn
	t.resting = true
	if !t.armed {
		c.arm() // whoever has been served may have left already
	}
	c.in.cond.Broadcast()
	if t.needed > 0 {
		c.in.mu.Unlock()
		c.out.mu.Lock()
		c.out.cond.Broadcast()
		c.out.mu.Unlock()
		c.in.mu.Lock()
	}
}

// free reports whether a call may read the pipe.
func (t *turn) free() bool { return t.resting && !t.busy && t.claims == 0 && !t.over }

// await waits until something may have happened. The caller holds in.mu and is the one Read, of which b is the buffer, or nil if
// nothing may be put there yet. It reports whether whatever is in the queue now came during a wait for it, so that nothing
// else was there before.
func (c *Conn) await(b []byte) (fresh bool) {
	c.in.waiting = true
	if c.in.turn.free() {
		if c.in.box.Queued() {
			b = nil // pieces of a record come first
		}
		c.turn(b)
		fresh = c.pipe.Waited()
	} else {
		c.in.cond.Wait()
	}
	c.in.waiting = false
	return fresh
}

// absorb takes what is in the pipe already into the queue, as far as it matters to a read of n bytes: recvmsg(2) merges all
// that was written to a stream before it (row 134), and reports a reset before records that are queued. It may place bytes in
// into, if that is not nil. The caller holds in.mu and is the one Read.
func (c *Conn) absorb(into []byte, n int) {
	t := &c.in.turn
	if !c.in.box.Wants(n) || t.over || c.in.closed {
		return
	}
	c.takeOver()
	for range maxGlances {
		if t.over || c.in.closed || !c.in.box.Wants(n) {
			return
		}
		var rest []byte
		if into != nil && c.typ == sock.Stream {
			rest = into[c.in.box.Bytes():] // everything before it will be taken by this Read: see Wants
		}
		if !c.turnNow(rest) {
			return
		}
	}
}

// takeOver makes the reader rest. If a Read comes to wait for what the pipe brings, it is left to that. The caller holds in.mu.
func (c *Conn) takeOver() {
	t := &c.in.turn
	t.claims++ // or a writer who was interrupted might be back before us, for ever
	defer func() { t.claims-- }()
	for t.busy && !t.over && !c.in.waiting {
		t.resting = true
		c.kick()
		c.in.cond.Wait()
	}
}

// catchUp takes in what is in the pipe already, unless a call is reading that anyway.
func (c *Conn) catchUp() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	t := &c.in.turn
	if t.resting && t.busy {
		return
	}
	rested := t.resting
	c.takeIn()
	if !rested {
		t.relieve()
	}
	c.leave()
}

// takeIn takes in what is in the pipe, unless another call is reading it. The caller holds in.mu.
func (c *Conn) takeIn() {
	c.takeOver()
	t := &c.in.turn
	for n := 0; n < maxGlances && !t.busy && !t.over && !c.in.closed && c.turnNow(nil); n++ {
	}
}

// maxGlances bounds how many packets a call takes in that wants to know what is in the pipe. It is more than a peer that keeps to the rules can
// have there, a window of the smallest ones; but of admin packets there may be no end.
const maxGlances = 1 << 12

// turn reads one packet from the pipe and applies it. The caller holds in.mu, which is released meanwhile. If into
// is not nil, and large enough for this to be worth it, payload is put right there.
func (c *Conn) turn(into []byte) {
	c.in.turn.busy = true
	c.in.mu.Unlock()
	err := c.apply(into, true)
	c.in.mu.Lock()
	c.endTurn(err, err == nil)
}

// turnNow is turn without waiting. It reports whether there was a packet.
func (c *Conn) turnNow(into []byte) bool {
	if !c.in.started {
		return false // its former owner may be reading it
	}
	c.in.turn.busy = true
	c.in.mu.Unlock()
	err := c.apply(into, false)
	none := err == syscall.EAGAIN
	if none {
		err = nil
	}
	c.in.mu.Lock()
	c.endTurn(err, !none && err == nil)
	return !none
}

// endTurn notes how a turn went, and whether it brought a packet. The caller holds in.mu.
func (c *Conn) endTurn(err error, packet bool) {
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

// apply reads one packet, waiting for it or not, and applies it. After an error other than an interruption, which is our own, and EAGAIN,
// nothing will come any more.
func (c *Conn) apply(into []byte, wait bool) error {
	if len(into) < worthPlacing {
		into = nil
	}
	buf, n, placed, err := c.read(into, wait)
	if placed > 0 && !wire.Bare(buf[:n]) {
		copy(buf[wire.HeaderLen:], into[:placed]) // not payload
		placed = 0
	}
	if err == nil {
		err = c.packet(buf, n, placed)
	}
	if err != nil && err != syscall.EAGAIN && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.ended(err)
	}
	return err
}

func (c *Conn) read(into []byte, wait bool) (buf *pipe.Buffer, n, placed int, err error) {
	if wait {
		return c.pipe.Read(&packets, into)
	}
	return c.pipe.ReadNow(&packets, into)
}

// leave ends a call that may have read the pipe. From here on that may be unattended. The caller holds in.mu.
func (c *Conn) leave() {
	t := &c.in.turn
	t.visits++
	switch {
	case !t.free():
	case t.needed > 0 || c.in.closed:
		t.relieve()
	case !t.armed:
		c.arm()
	}
}

// arm makes the patrol come by. The caller holds in.mu.
func (c *Conn) arm() {
	t := &c.in.turn
	t.armed, t.seen = true, t.visits
	if t.patrol == nil {
		t.patrol = time.AfterFunc(unattended, c.lookAfter)
	} else {
		t.patrol.Reset(unattended)
	}
}

// lookAfter is the patrol: without a call since it was armed, the reader takes over.
func (c *Conn) lookAfter() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	t := &c.in.turn
	t.armed = false
	switch {
	case !t.resting || t.busy || t.over: // attended; whoever is there now says when he leaves
	case t.visits != t.seen:
		c.arm()
	default:
		t.relieve()
	}
}

// relieve makes the reader take over as soon as nobody else is reading.
func (t *turn) relieve() {
	t.resting = false
	t.relief.Signal()
}

// A wait is a call's wait for what the pipe brings for the sending half. Its methods are called with out.mu held.
type wait struct {
	c     *Conn
	begun bool
}

// more waits until something may have happened.
func (w *wait) more() {
	c, t := w.c, &w.c.in.turn
	w.begun = true
	c.in.mu.Lock()
	if t.free() {
		t.writer = true
		c.out.mu.Unlock()
		c.turn(nil)
		t.writer = false
		c.in.mu.Unlock()
		c.out.mu.Lock()
		return
	}
	t.needed++
	c.in.mu.Unlock()
	c.out.cond.Wait()
	c.in.mu.Lock()
	t.needed--
	c.in.mu.Unlock()
}

// end ends the call.
func (w *wait) end() {
	if w.begun {
		w.c.in.mu.Lock()
		w.c.leave()
		w.c.in.mu.Unlock()
	}
}

// wakeWrites makes every call that waits for the sending half look around, and whoever moves over it. The caller holds out.mu, and is not
// reading the pipe.
func (c *Conn) wakeWrites() {
	c.wakeWaits()
	c.out.nudgeGuests()
}

// wakeWaits makes every call that waits for the sending half look around. The caller holds out.mu, and is not reading the pipe.
func (c *Conn) wakeWaits() {
	c.out.cond.Broadcast()
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if t := &c.in.turn; t.writer && t.busy {
		c.kick()
	}
}

// wakeReads makes every Read look around. The caller holds in.mu.
func (c *Conn) wakeReads() {
	c.in.cond.Broadcast()
	if t := &c.in.turn; t.resting && t.busy {
		c.kick()
	}
}

// kick makes whoever reads the pipe come back once it is empty. The caller holds in.mu.
func (c *Conn) kick() {
	if t := &c.in.turn; !t.kicked {
		t.kicked = true
		c.pipe.Interrupt()
	}
}
