package afunix

// ReadBuffer returns SO_RCVBUF, in bytes. On Linux, and over the pipe transport, that is twice the
// size that was set by [Conn.SetReadBuffer], within the bounds of socket(7). Over the pipe
// transport the size has no effect, as in Linux's AF_UNIX, and a socket that was received has the
// size that a new socket has.
func (c *Conn) ReadBuffer() (int, error) {
	bytes, err := c.t.ReadBuffer()
	return bytes, c.operation("get", "getsockopt").wrap(err)
}

// WriteBuffer returns SO_SNDBUF, in bytes. On Linux, and over the pipe transport, that is twice the
// size that was set by [Conn.SetWriteBuffer], within the bounds of socket(7).
func (c *Conn) WriteBuffer() (int, error) {
	bytes, err := c.t.WriteBuffer()
	return bytes, c.operation("get", "getsockopt").wrap(err)
}

// PendingError returns SO_ERROR: an error of the socket that no call has returned yet, as
// ECONNRESET if the peer was closed with something unread. PendingError takes the error away, as
// the next read would. It returns nil if there is no error.
func (c *Conn) PendingError() error { return c.operation("get", "getsockopt").wrap(c.t.PendingError()) }

// PassCredentials returns what [Conn.SetPassCredentials] has set: SO_PASSCRED.
func (c *Conn) PassCredentials() (bool, error) {
	on, err := c.t.PassCredentials()
	return on, c.operation("get", "getsockopt").wrap(err)
}

// SetPassCredentials is [Conn.SetPassCredentials] of all connections whose clients connect from now
// on, from their first message on. A Linux kernel before 6.16 looks when a connection is accepted.
func (l *Listener) SetPassCredentials(on bool) error {
	return l.operation("set", "setsockopt").wrap(l.t.SetPassCredentials(on))
}
