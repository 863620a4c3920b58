package kernel

import (
	"io/fs"
	"net"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/transport"
)

// A Config says how to listen.
type Config struct {
	Backlog   int         // as listen(2); 0 is the system's maximum, which package net asks for
	Mode      fs.FileMode // exact permission of the socket file; 0 leaves it to the umask
	Authorize func(cred.Credentials) error
}

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
