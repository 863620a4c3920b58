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
	return acceptConn(l.l)
}

// acceptConn is accept(2).
func acceptConn(l *net.UnixListener) (*Conn, error) {
	u, err := l.AcceptUnix()
	if err != nil {
		return nil, inner(err)
	}
	c, err := newConn(u)
	if err != nil {
		u.Close()
		return nil, err
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
func (l *Listener) Addr() *net.UnixAddr { return unixAddr(l.l.Addr()) }

// SyscallConn gives access to the listening socket.
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.l.SyscallConn() }
