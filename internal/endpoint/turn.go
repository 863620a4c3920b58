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

// A turn says who reads the pipe of a session: its reader goroutine, or a call of the user's that
// waits for what the pipe brings: a Read for data, a Write for credit, a WriteMsg for its
// acknowledgement. Nothing else reads the pipe, and nobody else changes these fields.
//
// To be woken by the reader costs such a call more than the system calls themselves (a switch
// between goroutines, and most often the start of another thread). So once the reader has served
// somebody who waited, the reader rests, and the next call that has to wait reads the pipe itself.
// The call does there all that the reader would do. A user who makes no more calls must not stop
// the transport (P5): the reader takes over again when nobody has come back for a while, and at
// once when somebody has to wait for what the pipe brings while nobody reads it.
//
// A call that has to know what is in the pipe claims it: takeOverLocked makes the reader rest, and
// interrupts whoever reads. While somebody claims the pipe, no call that waits begins to read it.
//
// What holds whenever mu is free: only the one who has taken the pipe (by) gives it back. The flow
// only goes forward, but for resumeLocked, which begins anew what drain has ended. A patrol is
// under way while the pipe may be unattended.
type turn struct {
	c *session

	relief  sync.Cond     // the reader rests on it
	done    chan struct{} // closed when the reader has ended
	flow    flow
	by      reading
	resting bool // the reader rests: only a call reads the pipe
	claims  int  // how many wait for whoever reads it to leave it to them
	kicked  bool // he has been interrupted to look around
	glances int  // how many packets came while the pipe was drained
	packets uint64

	oneRead progress
	needed  int  // how many wait on out.cond for what the pipe brings
	serves  uint // how often somebody has got what he waited for

	visits uint        // how many calls have left
	seen   uint        // visits when patrol was armed
	armed  bool        // patrol is
	patrol *time.Timer // looks whether the pipe is unattended
}

// A flow is how far the pipe has been read.
type flow uint8

const (
	flowing  flow = iota // there may be more
	draining             // the pipe is interrupted for good: what is in it is still read
	drained              // … and that has been read. What comes now is the next owner's
	over                 // nothing will come any more
)

// A reading says who is reading the pipe.
type reading uint8

const (
	byNobody reading = iota
	byReader         // the reader goroutine, or a Read, or a call that looks what is there
	byWriter         // a call that waits for something else than data
)

// A progress says how far the one Read is.
type progress uint8

const (
	noRead  progress = iota
	looking          // it goes by what it has seen: the mover of this end waits for it
	waiting          // … and it waits: what comes is read at once
)

// unattended is how long the pipe may go unread after a call. Nobody in this process waits for it
// then.
const unattended = 4 * time.Millisecond

// run is the reader: it takes every packet as soon as it is there, until the connection ends.
func (t *turn) run() {
	defer close(t.done)
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for (t.resting || t.by != byNobody) && !t.ended() {
			t.relief.Wait()
		}
		if t.ended() {
			return
		}
		before := t.serves
		t.readLocked(byReader, nil)
		if t.serves != before && !c.closed && t.flow == flowing { // drain waits until the reader is done
			t.restLocked()
		}
	}
}

// ended reports whether the reader has nothing to do any more.
func (t *turn) ended() bool { return t.flow >= drained }

// restLocked makes the reader leave the pipe to whoever waits. Each of them looks whether it is for
// him to read it.
func (t *turn) restLocked() {
	t.resting = true
	if !t.armed {
		t.armLocked() // whoever has been served may have left already
	}
	t.c.in.cond.Broadcast()
	if t.needed > 0 {
		t.c.out.cond.Broadcast()
	}
}

// restFirst makes a reader that has not begun rest until somebody waits for what the pipe brings.
func (t *turn) restFirst() { t.resting = true }

// free reports whether a call may read the pipe.
func (t *turn) free() bool {
	return t.resting && t.by == byNobody && t.claims == 0 && !t.ended()
}

// awaitLocked waits until something may have happened to the one Read, of which b is the buffer, or
// nil if nothing may be put there yet. It reports whether whatever is in the queue now came during
// a wait for it, so that nothing else was there before.
func (t *turn) awaitLocked(b []byte) (fresh bool) {
	c := t.c
	t.oneRead = waiting
	if t.free() {
		if c.in.box.Queued() {
			b = nil // pieces of a record come first
		}
		t.readLocked(byReader, b)
		fresh = c.pipe.Waited()
	} else {
		c.in.cond.Wait()
	}
	t.oneRead = looking
	return fresh
}

// looksLocked notes that the one Read goes by what it sees from now on.
func (t *turn) looksLocked() { t.oneRead = looking }

// lookedLocked notes that the one Read goes by nothing that it has seen before.
func (t *turn) lookedLocked() {
	if t.oneRead != noRead {
		t.wakeMoverLocked()
	}
	t.oneRead = noRead
}

// wakeMoverLocked makes whoever moves this end look around: something may be done that he waits
// for.
func (t *turn) wakeMoverLocked() {
	if t.c.stage == paused {
		t.wakeWritesLocked()
	}
}

// awaitElseLocked waits until something may have happened to a call that waits for the sending
// half.
func (t *turn) awaitElseLocked() {
	if t.free() {
		t.readLocked(byWriter, nil)
		return
	}
	t.needed++
	t.c.out.cond.Wait()
	t.needed--
}

// absorbLocked takes what is in the pipe already into the queue, as far as it matters to the one
// Read, which is of n bytes: recvmsg(2) merges all that was written to a stream before it (row
// 134), and reports a reset before records that are queued. It may place bytes in into, if that is
// not nil.
func (t *turn) absorbLocked(into []byte, n int) {
	c := t.c
	if !c.in.box.Wants(n) || t.ended() || c.closed {
		return
	}
	t.takeOverLocked()
	for range maxGlances {
		if t.ended() || c.closed || !c.in.box.Wants(n) {
			return
		}
		var rest []byte
		if into != nil && c.typ == sock.Stream {
			rest = into[c.in.box.Bytes():] // everything before it will be taken by this Read: see Wants
		}
		if !t.readNowLocked(rest) {
			return
		}
	}
}

// takeOverLocked claims the pipe: it makes the reader rest, and waits until nobody reads. If a Read
// comes to wait for what the pipe brings, the pipe is left to that.
func (t *turn) takeOverLocked() {
	t.claims++ // or a writer who was interrupted might be back before us, for ever
	defer func() { t.claims-- }()
	for t.by != byNobody && !t.ended() && t.oneRead != waiting {
		t.resting = true
		t.kickLocked()
		t.c.in.cond.Wait()
	}
}

// catchUp takes in what is in the pipe already, unless a call is reading that anyway.
func (t *turn) catchUp() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.catchUpLocked()
}

func (t *turn) catchUpLocked() {
	if t.resting && t.by != byNobody {
		return
	}
	rested := t.resting
	t.takeInLocked()
	if !rested {
		t.relieve()
	}
	t.leaveLocked()
}

// takeInLocked takes in what is in the pipe, unless another call is reading it.
func (t *turn) takeInLocked() {
	t.takeOverLocked()
	for n := 0; n < maxGlances && t.by == byNobody && !t.ended() && !t.c.closed && t.readNowLocked(nil); n++ {
	}
}

// maxGlances bounds how many packets a call takes in that wants to know what is in the pipe. It is
// more than a peer that keeps to the rules can have there, a window of the smallest ones; but of
// admin packets there may be no end.
const maxGlances = 1 << 12

// readLocked reads one packet from the pipe, with mu released, and applies it. If into is not nil,
// and large enough for this to be worth it, payload is put right there.
func (t *turn) readLocked(by reading, into []byte) {
	t.by = by
	err := t.takeLocked(into, true)
	t.endLocked(err, err == nil)
}

// readNowLocked is readLocked without waiting. It reports whether there was a packet.
func (t *turn) readNowLocked(into []byte) bool {
	if t.c.stage == unborn {
		return false // its former owner may be reading it
	}
	t.by = byReader
	err := t.takeLocked(into, false)
	none := err == syscall.EAGAIN
	if none {
		err = nil
	}
	t.endLocked(err, !none && err == nil)
	return !none
}

// endLocked gives the pipe back. It notes how that went, and whether there was a packet.
func (t *turn) endLocked(err error, packet bool) {
	if packet {
		t.packets++
		if t.flow == draining {
			if t.glances++; t.glances >= maxGlances {
				err = os.ErrDeadlineExceeded // as if there were no more
			}
		}
	}
	t.by = byNobody
	if t.kicked && t.flow != draining {
		t.c.pipe.Resume()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	t.kicked = false
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.flow = drained
	default:
		t.flow = over
	}
	if t.ended() || !t.resting {
		t.relief.Signal()
	}
	t.c.in.cond.Broadcast() // a Read may wait for its turn, and a catchUp for the end of this one
}

// worthPlacing is the length from which on copying a payload costs more than reading it in parts.
const worthPlacing = 4096

// takeLocked reads one packet, waiting for it or not, and applies it. After an error other than an
// interruption, which is our own, and EAGAIN, nothing will come any more.
func (t *turn) takeLocked(into []byte, wait bool) error {
	c := t.c
	if len(into) < worthPlacing {
		into = nil
	}
	c.mu.Unlock()
	buf, n, placed, err := t.read(into, wait)
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

func (t *turn) read(into []byte, wait bool) (buf *pipe.Buffer, n, placed int, err error) {
	if wait {
		return t.c.pipe.Read(&packets, into)
	}
	return t.c.pipe.ReadNow(&packets, into)
}

// leaveLocked ends a call that may have read the pipe. From here on that may be unattended.
func (t *turn) leaveLocked() {
	t.visits++
	switch {
	case !t.free():
	case t.needed > 0 || t.c.closed:
		t.relieve()
	case !t.armed:
		t.armLocked()
	}
}

// armLocked makes the patrol come by.
func (t *turn) armLocked() {
	t.armed, t.seen = true, t.visits
	if t.patrol == nil {
		t.patrol = time.AfterFunc(unattended, t.lookAfter)
	} else {
		t.patrol.Reset(unattended)
	}
}

// lookAfter is the patrol: without a call since it was armed, the reader takes over.
func (t *turn) lookAfter() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.armed = false
	switch {
	case !t.resting || t.by != byNobody || t.ended(): // attended; whoever is there now says when he leaves
	case t.visits != t.seen:
		t.armLocked()
	default:
		t.relieve()
	}
}

// relieve makes the reader take over as soon as nobody else is reading.
func (t *turn) relieve() {
	t.resting = false
	t.relief.Signal()
}

// servedReadLocked wakes the Read that waits, if one does: there is something to read.
func (t *turn) servedReadLocked() {
	if t.oneRead == waiting {
		t.serves++
		t.c.in.cond.Signal()
	}
}

// servedLocked wakes whoever waits for the sending half, which is about to change.
func (t *turn) servedLocked() {
	t.c.out.cond.Broadcast()
	if t.needed > 0 {
		t.serves++
	}
}

// wakeReadsLocked makes every Read look around.
func (t *turn) wakeReadsLocked() {
	t.c.in.cond.Broadcast()
	if t.resting && t.by != byNobody {
		t.kickLocked()
	}
}

// wakeWritesLocked makes every call that waits for the sending half look around. It is not called
// by whoever reads the pipe.
func (t *turn) wakeWritesLocked() {
	t.c.out.cond.Broadcast()
	if t.by == byWriter {
		t.kickLocked()
	}
}

// kickLocked makes whoever reads the pipe come back once it is empty.
func (t *turn) kickLocked() {
	if !t.kicked {
		t.kicked = true
		t.c.pipe.Interrupt()
	}
}

// drain takes in what is in the pipe, and ends the reader. So whether anything that the peer has
// sent before is left unread does not depend on how far the reader has come.
func (t *turn) drain() {
	t.c.mu.Lock()
	if t.flow == flowing {
		t.flow = draining
	}
	t.relieve()
	t.c.mu.Unlock()
	t.c.pipe.Interrupt()
	<-t.done
}

// takeRestLocked takes what is in the pipe once the reader has ended.
func (t *turn) takeRestLocked() {
	t.by = byReader
	for range maxGlances {
		if err := t.takeLocked(nil, false); err != nil {
			break
		}
	}
	t.by = byNobody
}

// endFirst makes a reader that has not begun find that nothing comes.
func (t *turn) endFirst() { t.flow = over }

// resumeLocked begins to read again after drain.
func (t *turn) resumeLocked() {
	if t.flow != drained {
		return
	}
	t.flow, t.glances, t.kicked, t.resting = flowing, 0, false, false
	t.c.pipe.Resume()
	t.done = make(chan struct{})
	go t.run()
}
