package endpoint

import (
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"afunix/internal/sock"
)

// linger bounds how long a closed connection waits for a peer to adopt descriptors whose sender
// gave up waiting for that, or to make room for our goodbye.
const linger = 5 * time.Second

// Close closes the connection. What was written stays readable for the peer, descriptors included.
func (c *session) Close() error { return c.close(false) }

// close closes the connection. With embryo, the peer's reads end with ECONNRESET whatever it sent:
// nobody has accepted it (row 199).
func (c *session) close(embryo bool) error {
	c.mu.Lock()
	first, moving := !c.closed, c.stage == paused
	c.markClosedLocked()
	c.mu.Unlock()
	switch {
	case !first:
		return net.ErrClosed
	case moving:
		return nil // it moves, or is closed when it does not: see stay
	}
	return c.depose(embryo)
}

// depose closes a connection that has been marked as closed.
func (c *session) depose(embryo bool) error {
	c.mu.Lock()
	born, aborted := c.stage != unborn, c.pen.parting != together
	underWay := c.underWayLocked() || !c.moves.HearsBye()
	if !born || aborted {
		c.in.box.Close()
	}
	c.unlock()
	switch {
	case !born: // its former owner may still have it
		return c.pipe.Close()
	case aborted: // abort closes the rest
		return nil
	case !underWay:
		c.turn.drain()
	}
	c.mu.Lock()
	for c.pen.awaitLocked(); c.in.intake == adopting; c.pen.awaitLocked() {
		c.in.cond.Wait()
	}
	c.refuseRestLocked()
	c.in.box.Close()
	c.in.intake = farewell
	c.pen.partLocked(c.in.box.Unread() || embryo)
	c.unlock()
	if c.goodbye() {
		return c.dispose()
	}
	go c.lingering()
	return nil
}

// abort ends a connection of which this side has had enough, as Close would: what the peer has sent
// is adopted and acknowledged, or not looked at, and then it is the peer's to take back.
func (c *session) abort(why error) {
	c.mu.Lock()
	c.in.awaitRestLocked()
	switch {
	case c.closed && c.stage != paused: // whoever has closed it says goodbye, and hears what becomes of the rest
		c.mu.Unlock()
		return
	case !c.above.brings() || c.stage == paused: // nothing comes, or goodbye is nobody's to say
		c.mu.Unlock()
		c.ended(why)
		return
	}
	c.refuseRestLocked()
	c.in.intake = farewell
	if c.in.failure == nil {
		c.in.failure = why
	}
	c.in.box.Fail()
	c.out.box.Lose()
	c.pen.partLocked(false)
	c.turn.wakeReadsLocked()
	c.wakeWritesLocked()
	c.mu.Unlock()
	if c.goodbye() {
		c.dispose()
	} else {
		go c.lingering()
	}
}

// awaitRestLocked waits until a message is whole of which a part has come, and so has been
// acknowledged: whoever reads is to have it. But the peer may be suspended. The pen is free then.
func (in *inbox) awaitRestLocked() {
	c := in.c
	late := c.after(patience)
	defer late.stop()
	c.turn.relieve()
	waits := func() bool {
		partly := c.above.receipt() && in.box.Unfinished()
		return in.intake == adopting || partly && !late.passed && !c.turn.ended() && !c.closed && c.stage != paused
	}
	for c.pen.awaitLocked(); waits(); c.pen.awaitLocked() {
		in.cond.Wait()
	}
}

// refuseRestLocked refuses a datagram of which pieces are missing. Its descriptors have been
// adopted, and are discarded here. Its sender, which has heard nothing of it, would take them back.
func (c *session) refuseRestLocked() {
	if !c.above.receipt() && c.in.box.Unfinished() && c.in.adopted > 0 {
		c.pen.owed.Refuse(c.in.adopted, sock.Severed)
	}
}

// goodbye tells the peer that this end is closed, as is owed, and reports whether nothing is under
// way.
func (c *session) goodbye() (finished bool) {
	c.pen.lock()
	defer c.mu.Unlock()
	c.pen.payLocked()
	return c.finishedLocked()
}

// markClosedLocked wakes everybody.
func (c *session) markClosedLocked() {
	c.closed = true
	c.in.deadline.stopLocked()
	c.out.deadline.stopLocked()
	c.turn.wakeReadsLocked()
	c.wakeWritesLocked()
	c.turn.relieve() // the reader has to find the end
}

// finishedLocked reports whether nothing of ours is under way.
func (c *session) finishedLocked() bool {
	return !c.pen.writing() && (c.pen.severed() || !c.pen.owed.Any() && !c.underWayLocked())
}

// underWayLocked reports whether the peer is to be heard still: its acknowledgement, or whose the
// luggage is whose message will not come. It may be in the pipe in a moment. Sockets that have
// strayed the peer gets rid of as long as they are open here.
func (c *session) underWayLocked() bool {
	return c.out.box.Outstanding() > 0 || c.moves.Holds() || len(c.out.strays) > 0 || len(c.out.exported) > 0
}

// lingering ends a connection once nothing is under way any more, or after a bounded time.
func (c *session) lingering() {
	c.mu.Lock()
	late := c.after(linger)
	for !late.passed && !c.finishedLocked() {
		c.out.cond.Wait()
	}
	c.mu.Unlock()
	late.stop()
	c.dispose()
}

// leftovers discards what the peer has sent since this end was closed, if there was no room for the
// goodbye: then nobody else can. If there is room now, the peer takes back what comes behind the
// last look. The reader has ended.
func (c *session) leftovers() {
	c.pen.lock()
	defer c.unlock()
	if c.pen.keepGoodbyeLocked() {
		if c.in.behind.Empty() { // else the peer would take the rest for acknowledged, too
			c.in.intake = open
		}
		c.turn.takeRestLocked()
		c.in.intake = farewell
		c.pen.tryGoodbyeLocked()
	}
}

// dispose ends the reader and releases everything.
func (c *session) dispose() error {
	c.turn.drain()
	c.leftovers()
	c.pen.lock()
	left := c.out.takeKeptLocked()
	copies, came := c.bereaveLocked(false)
	left = append(left, copies...)
	exported := c.out.takeExportedLocked()
	bound := c.out.bound
	c.mu.Unlock()
	came.discard()
	if bound != nil {
		bound.Close() // nothing is to be done if the name cannot be given up
	}
	err := c.abandon(left)
	for _, e := range exported {
		e.Release()
	}
	if errors.Is(err, net.ErrClosed) { // it broke before
		return nil
	}
	return err
}

// bereaveLocked ends sending, while nobody is writing. It returns what has come and is nobody's,
// since no packet will come any more, and if the peer has not ended, what is to be released by
// abandon. The peer may still send what moves wait for, unless it has ended.
func (c *session) bereaveLocked(peerEnded bool) (left []sock.Parked, came jetsam) {
	came = jetsam{c.in.takeUnclaimedLocked(peerEnded && c.moves.told != nil), c.in.takeBehindLocked()}
	c.peer.silence()
	c.out.forgetStraysLocked()
	if peerEnded {
		c.out.box.Bury()
	} else {
		left = c.out.box.Sever()
	}
	c.pen.severLocked()
	return left, came
}

// abandon closes this end, and then lets go of what is parked for a peer that may live: else it
// could pull whatever has got the values since, and take it for what was sent (see errLetGo).
func (c *session) abandon(left []sock.Parked) error {
	if len(left) == 0 {
		return c.pipe.Close()
	}
	err := c.pipe.Hangup()
	for _, p := range left {
		(*message)(p.(*parked)).copies().Release()
	}
	return err
}

// takesItsCarrier reports whether a message that has been written takes the end along over which it
// goes. The descriptor of that has been duplicated.
func takesItsCarrier(p sock.Parked) bool {
	m := (*message)(p.(*parked))
	return m.of.carriesItself(m)
}

// ended notes that no packet will come any more: io.EOF, or why the connection broke.
func (c *session) ended(err error) {
	c.pen.lock()
	left, came := c.bereaveLocked(err == io.EOF)
	c.out.settleLocked()
	switch {
	case err == io.EOF:
		c.in.box.Finish()
	case c.in.failure == nil:
		c.in.failure = failure(err)
		c.in.box.Fail()
	}
	c.in.cond.Broadcast()
	unplug := err != io.EOF || len(left) > 0
	// Whoever moves this end has its descriptor: see Stay and dispose.
	if c.stage == paused && !slices.ContainsFunc(left, takesItsCarrier) {
		c.out.kept = append(c.out.kept, left...)
		unplug = false
	}
	c.mu.Unlock()
	came.discard()
	switch {
	case !unplug:
	case len(left) > 0:
		go c.abandon(left)
	default:
		c.pipe.Close() // nothing more is to be said to such a peer
	}
	c.above.lost()
}
