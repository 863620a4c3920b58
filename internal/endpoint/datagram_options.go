package endpoint

import (
	"net"
	"time"

	"afunix/internal/sock"
)

// SetReadBuffer sets SO_RCVBUF, which changes nothing: see Conn.SetReadBuffer.
func (s *PacketConn) SetReadBuffer(bytes int) error {
	return s.change(func() { s.in.buffer = sock.ReadBuffer(bytes) })
}

// ReadBuffer returns SO_RCVBUF.
func (s *PacketConn) ReadBuffer() (bytes int, err error) {
	err = s.change(func() { bytes = s.in.buffer })
	return bytes, err
}

// SetWriteBuffer sets how much may be under way to any socket: see Conn.SetWriteBuffer.
func (s *PacketConn) SetWriteBuffer(bytes int) error {
	var links []*link
	err := s.out.change(func(o *outgoing) { o.buffer = sock.WriteBuffer(bytes) },
		func(c *link) error { links = append(links, c); return nil })
	for _, c := range links { // each tells its peer, which it does under no lock
		c.SetWriteBuffer(bytes) // one that is closed needs it no more
	}
	return err
}

// WriteBuffer returns SO_SNDBUF.
func (s *PacketConn) WriteBuffer() (bytes int, err error) {
	err = s.change(func() { bytes = s.out.size() })
	return bytes, err
}

// PassCredentials returns SO_PASSCRED.
func (s *PacketConn) PassCredentials() (on bool, err error) {
	err = s.change(func() { on = s.pass })
	return on, err
}

// PendingError returns SO_ERROR: nil, since to a datagram socket its peers' ends are no news (row
// 120).
func (s *PacketConn) PendingError() error { return s.change(func() {}) }

// CloseRead makes senders fail with EPIPE. What is queued can still be read, and then nothing
// comes; it is no end (row 197).
func (s *PacketConn) CloseRead() error {
	return s.change(s.in.mail.Shut)
}

// CloseWrite makes sending fail with EPIPE. Nobody else notices (row 130).
func (s *PacketConn) CloseWrite() error {
	return s.change(func() { s.mute = true })
}

// SetPassCredentials makes messages carry their sender's credentials: those that are sent once it
// has returned.
func (s *PacketConn) SetPassCredentials(on bool) error {
	return s.change(func() { s.pass = on })
}

// SetReadDeadline sets when reads give up.
func (s *PacketConn) SetReadDeadline(t time.Time) error {
	return s.change(func() { s.in.deadline.setLocked(t) })
}

// SetDeadline sets both deadlines.
func (s *PacketConn) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// change changes an open socket.
func (s *PacketConn) change(how func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.mail.Closed() {
		return net.ErrClosed
	}
	how()
	return nil
}

// SetWriteDeadline sets when writes give up.
func (s *PacketConn) SetWriteDeadline(t time.Time) error {
	return s.out.change(func(o *outgoing) { o.deadline.setLocked(t) }, func(c *link) error { return c.SetWriteDeadline(t) })
}

// change changes the sending half, and each of its links.
func (o *outgoing) change(half func(*outgoing), link func(*link) error) error {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.mail.Closed() {
		return net.ErrClosed
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	half(o)
	for _, d := range o.links {
		link(d.link) // one that is closed needs it no more
	}
	if s.peer != nil {
		link(s.peer)
	}
	return nil
}
