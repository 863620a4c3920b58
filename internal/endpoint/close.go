package endpoint

import (
	"errors"
	"net"
	"time"

	"afunix/internal/wire"
)

// CloseWrite shuts down the sending half: the peer reads what is queued, and then the end.
func (c *Conn) CloseWrite() error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.closed {
		return net.ErrClosed
	}
	if c.out.box.Shut() {
		c.out.owed.shut |= wire.ShutWrite
		c.out.owed.note(debtShutdown)
		c.pay()
		c.wakeWrites()
	}
	return nil
}

// CloseRead shuts down the receiving half: what is queued can still be read, then comes the end, and the peer's writes fail with
// EPIPE from here on (row 152).
func (c *Conn) CloseRead() error {
	c.in.mu.Lock()
	if c.in.closed {
		c.in.mu.Unlock()
		return net.ErrClosed
	}
	c.in.box.Shut()
	c.wakeReads()
	c.in.mu.Unlock()

	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.owed.shut |= wire.ShutRead
	c.tell(debtShutdown, &c.out.owed.shutDone)
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
	switch first, moving := c.markClosed(); {
	case !first:
		return net.ErrClosed
	case moving:
		return nil // it moves, or is closed when it does not: see stay
	}
	return c.depose(embryo)
}

// depose closes a connection that has been marked as closed.
func (c *Conn) depose(embryo bool) error {
	c.in.mu.Lock()
	started := c.in.started
	if !started {
		c.in.box.Close()
	}
	c.in.unlock()
	if !started { // its former owner may still have it
		return c.pipe.Close()
	}
	c.out.mu.Lock()
	underWay := c.out.box.Outstanding() > 0
	c.out.mu.Unlock()
	if !underWay {
		c.drain()
	}
	c.in.mu.Lock()
	for c.in.adopting {
		c.in.cond.Wait()
	}
	c.in.box.Close()
	c.in.farewell = true
	unread := c.in.box.Unread()
	c.in.unlock()

	c.out.mu.Lock()
	c.out.owed.reset = unread || embryo
	c.out.owed.note(debtBye)
	c.pay()
	finished := c.finished()
	c.out.mu.Unlock()
	if finished {
		return c.dispose()
	}
	go c.lingering()
	return nil
}

// markClosed wakes everybody, and reports whether this is the first Close, and whether the end is being moved.
func (c *Conn) markClosed() (first, moving bool) {
	c.in.mu.Lock()
	first, moving = !c.in.closed, c.in.paused
	c.in.closed = true
	c.in.deadline.stop()
	c.wakeReads()
	c.in.turn.relieve() // the reader has to find the end
	c.in.mu.Unlock()
	c.out.mu.Lock()
	c.out.closed = true
	c.out.deadline.stop()
	c.wakeWrites()
	c.out.mu.Unlock()
	return first, moving
}

// drain takes in what the peer has sent before our Close, so that whether anything is left unread does not depend on how far
// the reader has come. It ends the reader.
func (c *Conn) drain() {
	c.in.mu.Lock()
	c.in.turn.draining = true
	c.in.turn.relieve()
	c.in.mu.Unlock()
	c.pipe.Interrupt()
	<-c.done
}

// finished reports whether nothing of ours is under way. The caller holds out.mu.
func (c *Conn) finished() bool {
	return c.out.severed || c.out.owed.debts == 0 && c.out.box.Outstanding() == 0
}

// lingering ends a connection once nothing is under way any more, or after a bounded time.
func (c *Conn) lingering() {
	late := false
	timer := time.AfterFunc(linger, func() {
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		late = true
		c.out.cond.Broadcast()
	})
	defer timer.Stop()
	c.out.mu.Lock()
	for !late && !c.finished() {
		c.out.cond.Wait()
	}
	c.out.mu.Unlock()
	c.dispose()
}

// dispose ends the reader and releases everything.
func (c *Conn) dispose() error {
	c.drain()
	c.unclaimed()
	left := c.bereave(false)
	c.out.mu.Lock()
	bound := c.out.bound
	c.out.mu.Unlock()
	if bound != nil {
		bound.Close() // nothing is to be done if the name cannot be given up
	}
	if err := c.abandon(left); !errors.Is(err, net.ErrClosed) { // it broke before
		return err
	}
	return nil
}
