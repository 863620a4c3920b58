package endpoint

import (
	"errors"
	"net"
	"time"

	"afunix/internal/sock"
)

// CloseWrite shuts down the sending half: the peer reads what is queued, and then the end.
func (c *Conn) CloseWrite() error {
	c.lockToWrite()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if c.out.box.Shut() {
		c.out.owed.OweShutdown(sock.WriteHalf)
		c.payLocked()
		c.wakeWritesLocked()
	}
	return nil
}

// CloseRead shuts down the receiving half: what is queued can still be read, then comes the end, and the peer's writes fail with
// EPIPE from here on (row 152).
func (c *Conn) CloseRead() error {
	c.lockToWrite()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.in.box.Shut()
	c.wakeReadsLocked()
	if !c.out.box.Gone() {
		c.out.owed.OweShutdown(sock.ReadHalf)
		c.tellLocked(sock.DebtShutdown)
	}
	return nil
}

// linger bounds how long a closed connection waits for a peer to adopt descriptors whose sender gave up waiting for that, or
// to make room for our goodbye.
const linger = 5 * time.Second

// Close closes the connection. What was written stays readable for the peer, descriptors included.
func (c *Conn) Close() error { return c.close(false) }

// close closes the connection. With embryo, the peer's reads end with ECONNRESET whatever it sent: nobody has accepted it
// (row 199).
func (c *Conn) close(embryo bool) error {
	c.mu.Lock()
	first, moving := !c.closed, c.in.paused
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
func (c *Conn) depose(embryo bool) error {
	c.mu.Lock()
	started, underWay := c.in.started, c.out.box.Outstanding() > 0
	if !started {
		c.in.box.Close()
	}
	c.unlock()
	switch {
	case !started: // its former owner may still have it
		return c.pipe.Close()
	case !underWay:
		c.drain()
	}
	c.mu.Lock()
	for c.in.adopting {
		c.in.cond.Wait()
	}
	c.in.box.Close()
	c.in.farewell = true
	unread := c.in.box.Unread()
	c.unlock()
	if c.goodbye(unread || embryo) {
		return c.dispose()
	}
	go c.lingering()
	return nil
}

// abort ends a connection of which this side has had enough, as Close would: what the peer has sent
// is adopted and acknowledged, or not looked at, and then it is the peer's to take back.
func (c *Conn) abort(why error) {
	c.mu.Lock()
	for c.in.adopting {
		c.in.cond.Wait()
	}
	if c.link != nil || c.closed || c.in.paused { // nothing comes, or goodbye is said, or is nobody's to say
		c.mu.Unlock()
		c.ended(why)
		return
	}
	c.in.farewell = true
	if c.in.failure == nil {
		c.in.failure = why
	}
	c.in.box.Fail()
	c.out.box.Lose()
	c.wakeReadsLocked()
	c.wakeWritesLocked()
	c.mu.Unlock()
	if c.goodbye(false) {
		c.dispose()
	} else {
		go c.lingering()
	}
}

// goodbye tells the peer that this end is closed, and reports whether nothing is under way.
func (c *Conn) goodbye(reset bool) (finished bool) {
	c.lockToWrite()
	defer c.mu.Unlock()
	if !c.out.parting {
		c.out.parting = true
		c.out.owed.OweBye(reset)
	}
	c.payLocked()
	return c.finishedLocked()
}

// markClosedLocked wakes everybody.
func (c *Conn) markClosedLocked() {
	c.closed = true
	c.in.deadline.stop()
	c.out.deadline.stop()
	c.wakeReadsLocked()
	c.wakeWritesLocked()
	c.in.turn.relieve() // the reader has to find the end
}

// drain takes in what the peer has sent before our Close, so that whether anything is left unread does not depend on how far
// the reader has come. It ends the reader.
func (c *Conn) drain() {
	c.mu.Lock()
	c.in.turn.draining = true
	c.in.turn.relieve()
	c.mu.Unlock()
	c.pipe.Interrupt()
	<-c.done
}

// finishedLocked reports whether nothing of ours is under way.
func (c *Conn) finishedLocked() bool {
	o := &c.out
	return !o.pen && (o.severed || !o.owed.Any() && o.box.Outstanding() == 0)
}

// lingering ends a connection once nothing is under way any more, or after a bounded time.
func (c *Conn) lingering() {
	c.mu.Lock()
	late := c.after(linger)
	for !late.passed && !c.finishedLocked() {
		c.out.cond.Wait()
	}
	c.mu.Unlock()
	late.stop()
	c.dispose()
}

// saidGoodbyeLocked reports whether the peer has been told that this end is closed, or will be: what
// it has sent and not had acknowledged is its own to take back. The caller has waited for the pen.
func (c *Conn) saidGoodbyeLocked() bool {
	return c.out.parting && !c.out.owed.Owes(sock.DebtBye)
}

// leftovers discards what the peer has sent since this end was closed, if there was no room for the
// goodbye: then nobody else can. The reader has ended.
func (c *Conn) leftovers() {
	c.lockToWrite()
	defer c.unlock()
	if !c.out.parting || c.saidGoodbyeLocked() {
		return
	}
	c.out.parting = false
	c.out.owed.Strike(sock.DebtBye)
	c.in.farewell = false
	for range maxGlances {
		if err := c.takeLocked(nil, false); err != nil {
			break
		}
	}
	c.in.turn.busy = false
}

// dispose ends the reader and releases everything.
func (c *Conn) dispose() error {
	c.drain()
	c.leftovers()
	c.unclaimed()
	c.lockToWrite()
	left := append(c.takeLeftLocked(), c.bereaveLocked(false)...)
	bound := c.out.bound
	c.mu.Unlock()
	if bound != nil {
		bound.Close() // nothing is to be done if the name cannot be given up
	}
	if err := c.abandon(left); !errors.Is(err, net.ErrClosed) { // it broke before
		return err
	}
	return nil
}
