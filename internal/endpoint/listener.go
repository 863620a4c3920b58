package endpoint

import (
	"errors"
	"net"
	"syscall"
	"time"

	"afunix/internal/pipe"
	"afunix/internal/transport"
)

// A Listener is a socket that listens for connections. It satisfies transport.Listener.
type Listener struct{ door[*Conn] }

// Listen returns a listener for the pipes of source, which it owns. A backlog below 1 means the
// maximum.
func Listen(source pipe.Source, cfg Config, backlog int) *Listener {
	l := newListener(source, cfg, backlog)
	l.Start()
	return l
}

// newListener returns a listener that does not accept yet.
func newListener(source pipe.Source, cfg Config, backlog int) *Listener {
	l := new(Listener)
	l.open(source, cfg, backlog, newConn)
	return l
}

// Accept waits for the next connection. A guest of whose end nothing can be made, since somebody
// who had it before has seen to that, is as good as gone.
func (l *Listener) Accept() (transport.Conn, error) {
	for {
		c, guest, err := l.takeAny()
		if err != nil {
			return nil, err
		}
		if guest == nil {
			c.accepted()
			l.handed()
			return c, nil
		}
		switch c, err := l.cfg.World.Plain(guest, l.addr); {
		case err == nil:
			return c, nil
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENOMEM):
			return nil, err
		}
	}
}

// SetDeadline sets when Accept gives up.
func (l *Listener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.deadline.setLocked(t)
	return nil
}

// SetUnlinkOnClose says whether Close removes the socket file.
func (l *Listener) SetUnlinkOnClose(unlink bool) { l.source.SetUnlinkOnClose(unlink) }

// Transport is the pipe transport.
func (l *Listener) Transport() transport.ID { return transport.Pipe }

// Addr returns the name that the listener is bound to.
func (l *Listener) Addr() *net.UnixAddr { return l.addr }

// SetPassCredentials makes the connections of clients that come from now on have SO_PASSCRED from
// the start, as those of a kernel's listener that has it.
func (l *Listener) SetPassCredentials(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.pass = on
	return nil
}
