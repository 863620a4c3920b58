package endpoint

import (
	"net"
	"syscall"

	"afunix/internal/sock"
)

// SetReadBuffer sets SO_RCVBUF, which is remembered and changes nothing: on AF_UNIX it is the
// sender's buffer that bounds what is under way (unix(7)).
func (c *Conn) SetReadBuffer(bytes int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.in.buffer = sock.ReadBuffer(bytes)
	return nil
}

// ReadBuffer returns SO_RCVBUF. An end that has moved has that of a new one.
func (c *Conn) ReadBuffer() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.in.buffer, nil
}

// SetWriteBuffer sets SO_SNDBUF: how much may be under way to the peer.
func (c *session) SetWriteBuffer(bytes int) error {
	c.pen.lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.out.box.SetBuffer(sock.WriteBuffer(bytes))
	c.pen.owed.Owe(sock.DebtOptions)
	c.pen.payLocked()
	c.wakeWritesLocked()
	return nil
}

// WriteBuffer returns SO_SNDBUF.
func (c *Conn) WriteBuffer() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.out.box.Buffer(), nil
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

// PassCredentials returns SO_PASSCRED.
func (c *Conn) PassCredentials() (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, net.ErrClosed
	}
	return c.pass, nil
}

// SetReadBuffer sets SO_RCVBUF, which changes nothing: see Conn.SetReadBuffer.
func (s *PacketConn) SetReadBuffer(bytes int) error {
	return s.change(func() { s.buffer = sock.ReadBuffer(bytes) })
}

// ReadBuffer returns SO_RCVBUF.
func (s *PacketConn) ReadBuffer() (bytes int, err error) {
	err = s.change(func() { bytes = s.buffer })
	return bytes, err
}

// SetWriteBuffer sets how much may be under way to any socket: see Conn.SetWriteBuffer.
func (s *PacketConn) SetWriteBuffer(bytes int) error {
	var links []*link
	err := s.sending(func(o *outgoing) { o.buffer = sock.WriteBuffer(bytes) },
		func(c *link) error { links = append(links, c); return nil })
	for _, c := range links { // each tells its peer, which it does under no lock
		c.SetWriteBuffer(bytes) // one that is closed needs it no more
	}
	return err
}

// WriteBuffer returns SO_SNDBUF.
func (s *PacketConn) WriteBuffer() (bytes int, err error) {
	err = s.change(func() { bytes = s.sendBuffer() })
	return bytes, err
}

// sendBuffer is SO_SNDBUF.
func (s *PacketConn) sendBuffer() int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.buffer
}

// PassCredentials returns SO_PASSCRED.
func (s *PacketConn) PassCredentials() (on bool, err error) {
	err = s.change(func() { on = s.pass })
	return on, err
}

// bufferSize bounds a SO_SNDBUF that another process has written down.
func bufferSize(bytes int) int {
	box := sock.NewOutbox(sock.Datagram)
	box.SetBuffer(bytes)
	return box.Buffer()
}

// PendingError returns SO_ERROR: nil, since to a datagram socket its peers' ends are no news (row
// 120).
func (s *PacketConn) PendingError() error { return s.change(func() {}) }
