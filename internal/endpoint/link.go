package endpoint

import (
	"afunix/internal/cred"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// A link is one of a datagram socket's connections. What is not the session's is guarded by the
// socket's lock, but for what is said.
type link struct {
	session
	owner *PacketConn

	// Of a link on which datagrams come:
	mail    sock.Link[*link]
	ends    []move.End // that have come with the datagram of which pieces are coming; only the reader uses them
	offered []move.End // … with the datagram that waits for room in the queue

	// Of a link on which datagrams go:
	name    []byte   // ours; a sending's
	vouched bool     // it has credentials; a sending's
	last    *message // that had no descriptors; a sending's
}

// newLink returns a link of s whose hello is still to come, and which takes up to rights
// descriptors ahead of its reader.
func (s *PacketConn) newLink(p pipe.Pipe, cfg Config, server bool, rights int) *link {
	l := &link{owner: s}
	l.mail.Conn = l
	l.setUp(l, p, cfg, server, rights)
	l.id = s.id
	l.out.box.SetBuffer(s.out.size())
	return l
}

// Taken is never called: nobody is given a link.
func (l *link) Taken() {}

func (l *link) permits(who cred.Credentials) wire.Status { return l.owner.in.permits(l.peer.id, who) }

// headedLocked notes what a datagram's first packet says of it. Nothing comes on a link that this
// side has opened.
func (l *link) headedLocked(name []byte, serial uint64, flags uint8) error {
	switch {
	case !l.server:
		return errUnexpected
	case flags&(wire.Continued|wire.Luggage) != 0:
		return nil
	case serial == 0:
		return errUnexpected
	}
	l.mu.Unlock() // it is the socket that notes it, whose lock comes first
	defer l.mu.Lock()
	l.owner.mu.Lock()
	defer l.owner.mu.Unlock()
	l.mail.Sign(serial)
	l.mail.Name(name)
	return nil
}

// renamedLocked notes what the socket at the other end is called.
func (l *link) renamedLocked(name []byte) {
	l.mu.Unlock()
	defer l.mu.Lock()
	l.owner.mu.Lock()
	defer l.owner.mu.Unlock()
	l.mail.Name(name)
}

func (l *link) arriveLocked(seg sock.Segment, ends []move.End) error {
	l.mu.Unlock()
	defer l.mu.Lock()
	fit(&seg)
	return l.owner.in.deliver(l, seg, ends)
}

// Datagrams come on a link that the other side has opened.
func (l *link) brings() bool { return l.server }

// A datagram has arrived when it has been queued: see PacketConn.carryOut.
func (l *link) receipt() bool { return false }

func (l *link) cancelled(serial uint64) error {
	l.owner.in.withdraw(l, serial)
	return nil
}

func (l *link) refusedLocked(serial uint64, why sock.Fate) error {
	l.turn.servedLocked()
	defer l.out.settleLocked()
	return l.out.box.Refuse(serial, why)
}

func (l *link) signatureLocked() ([]byte, error) { return l.name, nil }

func (l *link) vouchedLocked() bool { return l.pass || l.vouched }

func (l *link) lost() { l.owner.in.lost(l) }

func (l *link) revocable() bool { return len(l.ends) > 0 }

func (l *link) socket() transport.Conn { return l.owner }
