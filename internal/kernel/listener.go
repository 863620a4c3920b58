//go:build unix || windows

package kernel

import (
	"net"
	"syscall"
	"time"

	"afunix/internal/transport"
)

var _ transport.Listener = (*Listener)(nil)

// Accept closes connections of peers that are not authorized, or that cannot be asked who they are, and waits for the next.
func (l *Listener) Accept() (transport.Conn, error) {
	for {
		u, err := l.l.AcceptUnix()
		if err != nil {
			return nil, inner(err)
		}
		c, err := newConn(u)
		if err != nil {
			u.Close()
			return nil, err
		}
		if c.authorized(l.authorize) == nil {
			return c, nil
		}
		c.Close()
	}
}

func (l *Listener) SetDeadline(t time.Time) error         { return inner(l.l.SetDeadline(t)) }
func (l *Listener) Addr() *net.UnixAddr                   { return unixAddr(l.l.Addr()) }
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.l.SyscallConn() }
