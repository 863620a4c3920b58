package winsock

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// A Conn is a connected stream socket. It does what *net.TCPConn does, with the same errors, at the
// cost of a thread for each blocked call.
type Conn struct{ *socket }

var (
	_ net.Conn     = (*Conn)(nil)
	_ syscall.Conn = (*Conn)(nil)
)

// NewConn makes a Conn of the stream socket h, which must have been made for overlapped I/O
// (WSA_FLAG_OVERLAPPED) and must not be inherited by child processes. On success the Conn owns h;
// on failure h is still the caller's: WSAENOTSOCK, WSAEPROTOTYPE for a socket of another type.
func NewConn(h windows.Handle) (*Conn, error) {
	s, err := newSocket(h, windows.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	return &Conn{s}, nil
}

// Read reads as net.Conn says. The end of the stream is io.EOF.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.receive(b)
	if n == 0 && err == nil && len(b) > 0 {
		return 0, io.EOF
	}
	return n, c.wrap("read", err)
}

// Write writes all of b, unless it fails. One Write is never interleaved with another.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.send(b)
	return n, c.wrap("write", err)
}

// CloseRead shuts down the reading side, for every process that has the socket.
func (c *Conn) CloseRead() error { return c.shutdown(windows.SHUT_RD) }

// CloseWrite shuts down the writing side, for every process that has the socket: the peer reads
// io.EOF.
func (c *Conn) CloseWrite() error { return c.shutdown(windows.SHUT_WR) }

func (c *Conn) shutdown(how int) error {
	if err := c.use(); err != nil {
		return c.wrap("close", err)
	}
	defer c.done()
	return c.wrap("close", syscallError("shutdown", windows.Shutdown(c.handle, how)))
}

// SetNoDelay sets whether packets are sent at once, and not held back until there is more to send
// in them (TCP_NODELAY).
func (c *Conn) SetNoDelay(noDelay bool) error {
	return c.set(windows.IPPROTO_TCP, windows.TCP_NODELAY, number(noDelay))
}

// SetKeepAlive sets whether the system asks a silent peer whether it is still there (SO_KEEPALIVE).
func (c *Conn) SetKeepAlive(keepalive bool) error {
	return c.set(windows.SOL_SOCKET, windows.SO_KEEPALIVE, number(keepalive))
}

// SetKeepAlivePeriod sets how long the peer may be silent before it is asked (TCP_KEEPIDLE, Windows
// 10). The time is rounded up to seconds.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.set(windows.IPPROTO_TCP, windows.TCP_KEEPIDLE, int((d+time.Second-1)/time.Second))
}

// SetLinger sets what becomes of data that has not been acknowledged when the connection is closed:
// with sec < 0 it is sent in the background, with 0 discarded, with sec > 0 sent for so long
// (SO_LINGER).
func (c *Conn) SetLinger(sec int) error {
	l := windows.Linger{Onoff: int32(number(sec >= 0)), Linger: int32(max(sec, 0))}
	return c.setting(func(h windows.Handle) error {
		return windows.SetsockoptLinger(h, windows.SOL_SOCKET, windows.SO_LINGER, &l)
	})
}

func number(on bool) int {
	if on {
		return 1
	}
	return 0
}

func (s *socket) set(level, option, value int) error {
	return s.setting(func(h windows.Handle) error { return windows.SetsockoptInt(h, level, option, value) })
}

func (s *socket) setting(how func(windows.Handle) error) error {
	if err := s.use(); err != nil {
		return s.wrap("set", err)
	}
	defer s.done()
	return s.wrap("set", syscallError("setsockopt", how(s.handle)))
}

// LocalAddr returns the local address, a *net.TCPAddr for TCP.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the peer's address, a *net.TCPAddr for TCP.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// receive reads once. An empty b reads nothing and does not wait, whatever the state of the stream.
func (s *socket) receive(b []byte) (int, error) {
	if err := s.use(); err != nil {
		return 0, err
	}
	defer s.done()
	if len(b) == 0 {
		return 0, nil
	}
	d := &s.reading
	d.turn.Lock()
	defer d.turn.Unlock()
	return s.read(d, submitRecv, "wsarecv", b)
}

// read is do for calls that fill b. A datagram that is longer fails with WSAEMSGSIZE and fills b;
// how many bytes the system reports then depends on whether it was there already (Wine 8).
func (s *socket) read(d *direction, start submit, call string, b []byte) (int, error) {
	n, err := s.do(d, start, call, b)
	if errors.Is(err, windows.WSAEMSGSIZE) {
		n = min(len(b), maxIO)
	}
	return n, err
}

// send writes b to the peer: a stream takes it in as many calls as are needed, a datagram goes in
// one, even an empty one.
func (s *socket) send(b []byte) (int, error) {
	if err := s.use(); err != nil {
		return 0, err
	}
	defer s.done()
	d := &s.writing
	d.turn.Lock()
	defer d.turn.Unlock()
	for sent := 0; ; {
		n, err := s.do(d, submitSend, "wsasend", b[sent:])
		sent += n
		if err != nil || sent == len(b) {
			return sent, err
		}
		if n == 0 {
			return sent, io.ErrUnexpectedEOF
		}
	}
}

func submitRecv(h windows.Handle, o *operation) error {
	return windows.WSARecv(h, &o.buf, 1, &o.moved, &o.flags, &o.overlapped, nil)
}

func submitSend(h windows.Handle, o *operation) error {
	return windows.WSASend(h, &o.buf, 1, &o.moved, 0, &o.overlapped, nil)
}
