package endpoint

import (
	"errors"
	"net"
	"os"
	"syscall"

	"afunix/internal/move"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// errGone: the socket at the other end of a link was closed before the datagram was in the pipe.
var errGone = errors.New("link is gone")

// errLost: the link broke, and nobody can know whether the datagram has been queued.
var errLost = errors.New("link is lost")

// offer sends one datagram, and waits until it has been queued. ECONNREFUSED: the other socket was
// closed meanwhile; EPERM: it is connected to somebody else; EPIPE: it has shut down reading.
func (l *link) offer(b []byte, files []transport.File) (int, error) {
	for weight := 0; ; {
		var m *message
		if len(files) > 0 {
			var err error
			if m, err = l.out.gather(files, weight); err == move.ErrCycle {
				return len(b), nil
			} else if err != nil {
				return 0, gone(err)
			}
		}
		n, err := l.offerWith(b, m)
		switch err {
		case errCrowded:
			weight = m.lacks
			continue
		case errMoving:
			continue
		}
		m.arrived()
		return n, err
	}
}

// offerWith sends one datagram with the descriptors of m, if that is not nil.
func (l *link) offerWith(b []byte, m *message) (int, error) {
	s := l.out.send()
	defer s.done()
	if m == nil {
		m = l.plain(s)
	}
	l.name, l.vouched = l.owner.signature()
	err := s.load(m)
	n := 0
	if err == nil {
		n, err = s.pieces(b, wire.MaxPayload-m.maxLen(), m)
	}
	if m.transfer == nil {
		s.undo(m, err)
		return 0, gone(s.bereaved(err))
	}
	return l.verdict(m, n, err)
}

// gone translates the end of a link.
func gone(err error) error {
	if err == syscall.EPIPE {
		return errGone
	}
	return err
}

// plain returns a message without descriptors: the one of the last datagram, if its outcome
// is known. Both are the sending's.
func (l *link) plain(sending) *message {
	if l.last == nil || l.last.room.Fate == sock.Unknown {
		l.last = new(message)
	}
	l.last.transfer = nil
	return l.last
}

// verdict waits for what the receiver says of a datagram of which n bytes have been written; err is
// what stopped the rest, if anything did.
func (l *link) verdict(m *message, n int, err error) (int, error) {
	t := m.transfer
	l.mu.Lock()
	defer l.mu.Unlock()
	w := wait{c: &l.session}
	defer w.endLocked()
	incomplete := err
	for t.Fate == sock.Written && err == nil {
		switch {
		case l.closed:
			err = net.ErrClosed
		case l.out.deadline.expired:
			err = os.ErrDeadlineExceeded
		default:
			w.moreLocked()
		}
	}
	if t.Fate == sock.Written {
		l.cancelLocked(t, &w)
	}
	l.out.settledLocked(m)
	switch t.Fate {
	case sock.Acknowledged:
		return n, nil
	case sock.Buried: // and whoever has the name now must not get it, too
		return n, gone(incomplete)
	case sock.Lost:
		return n, errLost
	case sock.Unknown:
		return n, err
	case sock.Barred:
		return 0, syscall.EPERM
	case sock.Severed:
		return 0, syscall.ECONNREFUSED
	}
	if err == nil {
		err = syscall.EPIPE
	}
	return 0, err
}

// cancelLocked tells the receiver that nobody waits any longer for a datagram to be queued, and
// waits for what it says to that: either it is in the queue all the same, or nothing has happened.
func (l *link) cancelLocked(t *sock.Transfer, w *wait) {
	l.pen.owed.Cancel(t.Serial())
	l.pen.payLocked()
	late := l.after(patience)
	defer late.stop()
	for t.Fate == sock.Written && !late.passed && !l.pen.severed() {
		w.moreLocked()
	}
	if t.Fate == sock.Written {
		t.Fate = sock.Unknown // the receiver is suspended
	}
}
