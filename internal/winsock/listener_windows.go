package winsock

import (
	"errors"
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A Listener is a listening stream socket. It does what *net.TCPListener does, except that it
// accepts a *Conn.
type Listener struct{ s *socket }

var (
	_ net.Listener = (*Listener)(nil)
	_ syscall.Conn = (*Listener)(nil)
)

// NewListener makes a Listener of the listening socket h, which must have been made for overlapped
// I/O and must not be inherited by child processes. On success the Listener owns h; on failure h is
// still the caller's: WSAENOTSOCK, WSAEPROTOTYPE for a socket of another type, WSAEINVAL for one
// that does not listen.
func NewListener(h windows.Handle) (*Listener, error) {
	listens, err := windows.GetsockoptInt(h, windows.SOL_SOCKET, soAcceptConn)
	if err != nil {
		return nil, syscallError("getsockopt", err)
	}
	if listens == 0 {
		return nil, windows.WSAEINVAL
	}
	s, err := newSocket(h, windows.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	s.listens = true
	return &Listener{s}, nil
}

// Accept waits for the next connection and returns it as a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err // not a nil *Conn in a net.Conn
	}
	return c, nil
}

// AcceptConn is Accept for those who want the *Conn.
func (l *Listener) AcceptConn() (*Conn, error) {
	h, err := l.s.accept()
	if err != nil {
		return nil, l.s.wrap("accept", err)
	}
	c, err := NewConn(h)
	if err != nil {
		_ = windows.Closesocket(h)
		return nil, l.s.wrap("accept", err)
	}
	return c, nil
}

// Close stops listening here. Other processes that have the socket go on accepting.
func (l *Listener) Close() error { return l.s.Close() }

// Addr returns the address on which l listens.
func (l *Listener) Addr() net.Addr { return l.s.local }

// SetDeadline sets the deadline of Accept.
func (l *Listener) SetDeadline(t time.Time) error { return l.s.SetReadDeadline(t) }

// SyscallConn gives access to the socket, as that of Conn does.
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.s.SyscallConn() }

// accept returns the socket of the next connection. One that was reset before it could be accepted
// is passed over: that is no failure of the listener.
func (s *socket) accept() (windows.Handle, error) {
	if err := s.use(); err != nil {
		return windows.InvalidHandle, err
	}
	defer s.done()
	d := &s.reading
	d.turn.Lock()
	defer d.turn.Unlock()
	for {
		h, err := s.acceptOne()
		if errors.Is(err, windows.WSAECONNRESET) || errors.Is(err, windows.ERROR_NETNAME_DELETED) {
			continue
		}
		return h, err
	}
}

// acceptOne makes a socket and accepts into that socket, as AcceptEx does.
func (s *socket) acceptOne() (windows.Handle, error) {
	h, err := windows.WSASocket(s.info.AddressFamily, s.info.SocketType, s.info.Protocol, nil, 0,
		windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		return windows.InvalidHandle, syscallError("wsasocket", err)
	}
	s.reading.op.accepted = h
	if _, err = s.do(&s.reading, submitAccept, "acceptex", nil); err == nil {
		// Without this the socket has neither addresses nor shutdown, nor the options of the
		// listener.
		err = syscallError("setsockopt", windows.Setsockopt(h, windows.SOL_SOCKET, windows.SO_UPDATE_ACCEPT_CONTEXT,
			(*byte)(unsafe.Pointer(&s.handle)), int32(unsafe.Sizeof(s.handle))))
	}
	if err != nil {
		// The reason is err. It would say nothing more that the socket could not be closed either.
		_ = windows.Closesocket(h)
		return windows.InvalidHandle, err
	}
	return h, nil
}

func submitAccept(h windows.Handle, o *operation) error {
	const size = uint32(unsafe.Sizeof(o.names[0])) // an address and 16 bytes more, at least
	return windows.AcceptEx(h, o.accepted, (*byte)(unsafe.Pointer(&o.names)), 0, size, size, &o.moved, &o.overlapped)
}
