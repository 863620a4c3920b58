package endpoint

import (
	"net"
	"syscall"
	"time"

	"afunix/internal/sock"
)

// change changes an open end. how is called with mu held, as that of revise is.
func (c *session) change(how func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	how()
	return nil
}

// revise changes an open end, and has the pen for that: how may owe the peer something.
func (c *session) revise(how func()) error {
	c.pen.lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	how()
	c.pen.payLocked()
	return nil
}

// SetReadBuffer sets SO_RCVBUF, which is remembered and changes nothing: on AF_UNIX it is the
// sender's buffer that bounds what is under way (unix(7)).
func (c *Conn) SetReadBuffer(bytes int) error {
	return c.change(func() { c.in.buffer = sock.ReadBuffer(bytes) })
}

// ReadBuffer returns SO_RCVBUF. An end that has moved has that of a new one.
func (c *Conn) ReadBuffer() (bytes int, err error) {
	err = c.change(func() { bytes = c.in.buffer })
	return bytes, err
}

// SetWriteBuffer sets SO_SNDBUF: how much may be under way to the peer.
func (c *session) SetWriteBuffer(bytes int) error {
	return c.revise(func() {
		c.out.box.SetBuffer(sock.WriteBuffer(bytes))
		c.pen.owed.Owe(sock.DebtOptions)
		c.wakeWritesLocked()
	})
}

// WriteBuffer returns SO_SNDBUF.
func (c *Conn) WriteBuffer() (bytes int, err error) {
	err = c.change(func() { bytes = c.out.box.Buffer() })
	return bytes, err
}

// SetPassCredentials makes messages carry their sender's credentials: those that are sent once it
// has returned.
func (c *Conn) SetPassCredentials(on bool) error {
	return c.revise(func() {
		c.pass = on
		c.in.box.TellApart(on)
		c.tellLocked(sock.DebtOptions)
	})
}

// PassCredentials returns SO_PASSCRED.
func (c *Conn) PassCredentials() (on bool, err error) {
	err = c.change(func() { on = c.pass })
	return on, err
}

// PendingError returns SO_ERROR: that the peer was closed with something of ours unread, which
// whoever reads is then not told any more.
func (c *Conn) PendingError() error {
	c.mu.Lock()
	defer c.unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.turn.takeInLocked()
	defer c.turn.leaveLocked()
	if c.in.box.TakeReset() {
		return syscall.ECONNRESET
	}
	return nil
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when reads give up.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.change(func() { c.in.deadline.setLocked(t) })
}

// SetWriteDeadline sets when writes give up.
func (c *session) SetWriteDeadline(t time.Time) error {
	return c.change(func() { c.out.deadline.setLocked(t) })
}

// CloseWrite shuts down the sending half: the peer reads what is queued, and then the end.
func (c *Conn) CloseWrite() error {
	return c.revise(func() {
		if c.out.box.Shut() {
			c.pen.owed.OweShutdown(sock.WriteHalf)
			c.wakeWritesLocked()
		}
	})
}

// CloseRead shuts down the receiving half: what is queued can still be read, then comes the end,
// and the peer's writes fail with EPIPE from here on (row 152).
func (c *Conn) CloseRead() error {
	return c.revise(func() {
		c.in.box.Shut()
		c.turn.wakeReadsLocked()
		if !c.out.box.Gone() {
			c.pen.owed.OweShutdown(sock.ReadHalf)
			c.tellLocked(sock.DebtShutdown)
		}
	})
}
