//go:build unix || windows

package kernel

import (
	"net"
	"syscall"
	"time"

	"afunix/internal/transport"
)

// Accept waits for the next client. Those who are not authorized, or cannot be asked who they are,
// are closed.
func (l *Listener) Accept() (transport.Conn, error) {
	c, err := l.accept()
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (l *Listener) accept() (*Conn, error) {
	if l.door != nil {
		return l.door.accept()
	}
	return l.accepting().accept()
}

// An acceptor is what accept(2) needs.
type acceptor struct {
	l    *net.UnixListener
	long *net.UnixAddr // see Listener
}

func (l *Listener) accepting() acceptor { return acceptor{l.l, l.long} }

// accept is accept(2).
func (a acceptor) accept() (*Conn, error) {
	u, err := a.l.AcceptUnix()
	if err != nil {
		return nil, inner(err)
	}
	c, err := newConn(u)
	if err != nil {
		u.Close()
		return nil, err
	}
	if a.long != nil {
		c.local = a.long
	}
	return c, nil
}

// SetDeadline sets when Accept gives up.
func (l *Listener) SetDeadline(t time.Time) error {
	if l.door != nil {
		return l.door.setDeadline(t)
	}
	return inner(l.l.SetDeadline(t))
}

// closeDoor ends what Accept has begun.
func (l *Listener) closeDoor() {
	if l.door != nil {
		l.door.close()
	}
}

// Transport is the kernel transport.
func (l *Listener) Transport() transport.ID { return transport.Kernel }

// Addr is the name at which clients connect.
func (l *Listener) Addr() *net.UnixAddr {
	if l.long != nil {
		return l.long
	}
	return unixAddr(l.l.Addr())
}

// SyscallConn gives access to the listening socket.
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.l.SyscallConn() }
