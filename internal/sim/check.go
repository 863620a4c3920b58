package sim

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/simproc"
	"afunix/internal/sock"
)

// This file is what has to be true after a run, whatever has gone wrong. The name of a check is what its failures begin with.
//
//	received exactly once    the descriptors of a send that has succeeded, by the call that took the first byte of their message; or they
//	                         were closed because their receiver closed or died, or had no room and was told
//	failed, nothing sent     the descriptors and bytes of a send that failed
//	at most once             the descriptors of a send of which the outcome is unknown, or whose process died in it
//	order and boundaries     bytes and records, and descriptors with the first byte of their message and with nothing of another
//	adopted within the bound at each step: see Process.adopt
//	left behind              handles in a table that nobody owns, at the end
//	faults                   what a real system would punish, as closing what is not open
//	waits for ever           a call or a goroutine: see World.Run

// Check holds the books against each other.
func (w *World) Check() {
	for _, s := range w.sides {
		s.got = slices.DeleteFunc(s.got, func(r *reading) bool { return r.void })
		s.died = s.holder.dead
	}
	for _, s := range w.sides {
		s.check()
	}
	for _, p := range w.procs {
		p.check()
	}
}

// check looks at a process's table after everything has been closed.
func (p *Process) check() {
	for _, f := range p.Faults() {
		// Who has lost its pipe cannot know whether the other side is about to import; and who has closed does not wait for ever for one
		// that is suspended.
		if !p.w.any(func(o *pipe) bool { return o.broken }, func(q *Process) bool { return q.slept }) || !strings.Contains(f, "before it was imported") {
			p.w.fail("faults", "%s", f)
		}
	}
	if p.dead {
		return
	}
	excused := 0
	for _, o := range p.orphans {
		// Nobody is left who could have taken it back; the packet that told of it is lost; or it cannot be taken back: a socket that was
		// exported to a process that has closed the connection before it came, or after its sender had done so.
		if o.by.dead || o.over.broken || o.socket {
			excused++
		}
	}
	if n := p.Len(); n > excused {
		p.w.fail("left behind", "%s has %d handles: %#x, of which %d are nobody's fault", p.name, n, p.Values(), excused)
	}
}

// any reports whether something holds for one of the pipes or processes.
func (w *World) any(of func(*pipe) bool, or func(*Process) bool) bool {
	return slices.ContainsFunc(w.pipes, of) || slices.ContainsFunc(w.procs, or)
}

// uncertain: nobody can know whether it has arrived. A receiver that is dead may have had it: if the pipe is full, the acknowledgement
// is not in it before the message can be read; and a receiver that closes does not wait for ever for a sender that is suspended and has
// left no room for its acknowledgement.
func (m *Message) uncertain() bool {
	if errors.Is(m.err, syscall.EPERM) || errors.As(m.err, new(*descriptor.IndexError)) {
		return false // it has not got that far
	}
	return !m.returned || m.err != nil && (m.n > 0 || m.side.on.broken || m.side.peer.died || m.side.holder.slept)
}

// endsIt: the outcome is unknown, and if its descriptors are gone before the receiver can take them, that is where reading ends.
func (m *Message) endsIt() bool { return len(m.files) > 0 && m.uncertain() }

// check compares what this side has sent with what the other one has received.
func (s *Side) check() {
	if s.typ == sock.Stream {
		s.checkStream()
	} else {
		s.checkRecords()
	}
	s.checkRights()
}

// complete: everything that was sent must have been received.
func (s *Side) complete() bool {
	r := s.peer
	return errors.Is(r.ended, io.EOF) && !r.stopped && !s.on.broken
}

func (s *Side) checkStream() {
	var got []byte
	for _, r := range s.peer.got {
		got = append(got, r.data...)
	}
	rest, must, ends := got, 0, false // must: so many bytes have to have come
	for _, m := range s.sent {
		ends = ends || m.endsIt()
		if !ends {
			must += m.n
		}
		n := min(m.n, len(rest))
		if !bytes.Equal(rest[:n], m.data[:n]) {
			break
		}
		rest = rest[n:]
		if !m.uncertain() {
			continue
		}
		// As much of it as has come was all of it, or the last that came.
		if n = min(len(m.data)-m.n, len(rest)); n > 0 && bytes.Equal(rest[:n], m.data[m.n:][:n]) {
			rest = rest[n:]
		}
	}
	switch {
	case len(rest) > 0 && s.failed(rest):
		s.w.fail("failed, nothing sent", "%s has received bytes of a message that failed", s.peer.name)
	case len(rest) > 0:
		s.w.fail("order and boundaries", "%s has received other bytes than were sent, %d of %d", s.peer.name, len(rest), len(got))
	case len(got) < must && s.complete():
		s.w.fail("order and boundaries", "%s has received %d bytes, and then the end; %d were sent", s.peer.name, len(got), must)
	}
}

// failed reports whether b begins with what was not sent of a message.
func (s *Side) failed(b []byte) bool {
	return slices.ContainsFunc(s.sent, func(m *Message) bool {
		return m.returned && m.n < len(m.data) && bytes.HasPrefix(b, m.data[m.n:][:min(len(b), len(m.data)-m.n)])
	})
}

func (s *Side) checkRecords() {
	i := 0
	for _, r := range s.peer.got {
		for i < len(s.sent) && s.skipped(s.sent[i], r) {
			i++
		}
		if i == len(s.sent) || !bytes.Equal(s.sent[i].data, r.data) {
			s.w.fail("order and boundaries", "%s has received a record of %d bytes that is none that comes next", s.peer.name, len(r.data))
			return
		}
		i++
	}
	for ; i < len(s.sent) && s.complete() && !s.sent[i].endsIt(); i++ {
		if m := s.sent[i]; m.returned && m.err == nil {
			s.w.fail("order and boundaries", "%s has not received %v", s.peer.name, m)
		}
	}
}

// skipped reports whether m has not arrived, and r is something later.
func (s *Side) skipped(m *Message, r *reading) bool {
	if m.returned && m.err != nil && m.n == 0 && !m.uncertain() {
		if bytes.Equal(m.data, r.data) && len(m.data) > 0 {
			s.w.fail("failed, nothing sent", "%s has received %v", s.peer.name, m)
		}
		return true
	}
	return m.uncertain() && !bytes.Equal(m.data, r.data)
}

// checkRights follows each descriptor.
func (s *Side) checkRights() {
	home := make(map[*simproc.File]*Message)
	for _, m := range s.sent {
		for _, f := range m.files {
			home[f] = m
		}
	}
	seen := make(map[*simproc.File]int)
	start := s.starts()
	for i, r := range s.peer.got {
		var came *Message
		for j, f := range r.files {
			m := home[f]
			seen[f]++
			switch {
			case m == nil:
				s.w.fail("order and boundaries", "%s has received what was never sent to it", s.peer.name)
			case came != nil && came != m, j >= len(m.files) || m.files[j] != f:
				s.w.fail("order and boundaries", "%s: descriptors in one read that belong to several messages, or in another order", s.peer.name)
			default:
				came = m
			}
		}
		if came != nil && len(r.files) != len(came.files) {
			s.w.fail("received exactly once", "%s has received %d descriptors of %v", s.peer.name, len(r.files), came)
		}
		s.checkReading(i, r, came, start)
	}
	for f, n := range seen {
		switch m := home[f]; {
		case m == nil:
		case n > 1 && m.uncertain():
			s.w.fail("at most once", "%s has received a descriptor of %v %d times", s.peer.name, m, n)
		case n > 1:
			s.w.fail("received exactly once", "%s has received a descriptor of %v %d times", s.peer.name, m, n)
		case m.returned && m.err != nil && !m.uncertain():
			s.w.fail("failed, nothing sent", "%s has received descriptors of %v", s.peer.name, m)
		}
	}
	s.checkArrived(seen)
}

// checkArrived looks for descriptors that should have come. Those of a message that succeeded are in the receiver's queue, and if the
// pipe has broken, too.
func (s *Side) checkArrived(seen map[*simproc.File]int) {
	r := s.peer
	if r.ended == nil || r.stopped || errors.Is(r.ended, net.ErrClosed) {
		return // it has closed or died
	}
	lost := false
	for _, g := range r.got {
		lost = lost || g.lost
	}
	for _, m := range s.sent {
		inPieces := s.typ != sock.Stream && len(m.data) > 32000 // of which not all may have come
		if !m.returned || m.err != nil || len(m.files) == 0 || s.on.broken && inPieces {
			continue
		}
		for _, f := range m.files {
			if seen[f] == 0 && !lost {
				s.w.fail("received exactly once", "%s has not received the descriptors of %v", r.name, m)
				break
			}
		}
	}
	if lost && !r.process().full {
		s.w.fail("received exactly once", "%s has lost descriptors, and there was room", r.name)
	}
}

// starts returns where each message begins in the stream.
func (s *Side) starts() []int {
	at := 0
	start := make([]int, len(s.sent))
	for i, m := range s.sent {
		start[i] = at
		if at += m.n; !m.returned {
			at += len(m.data)
		}
	}
	return start
}

// checkReading holds one read against the rule that descriptors ride on the first byte of their message, and that no read goes beyond
// those.
func (s *Side) checkReading(i int, r *reading, came *Message, start []int) {
	if s.typ != sock.Stream {
		if came != nil && !bytes.Equal(came.data, r.data) {
			s.w.fail("order and boundaries", "%s: the descriptors of %v came with another record", s.peer.name, came)
		}
		return
	}
	for j, m := range s.sent {
		if m.returned && m.n == 0 && m != came {
			continue // it is nowhere in the stream
		}
		first := len(m.files) > 0 && r.from <= start[j] && start[j] < r.to
		switch {
		case m == came && !first:
			s.w.fail("order and boundaries", "%s, read %d: descriptors without the first byte of %v", s.peer.name, i, m)
		case m == came && r.to > start[j]+len(m.data):
			s.w.fail("order and boundaries", "%s, read %d: goes beyond %v", s.peer.name, i, m)
		case m != came && first && came != nil:
			s.w.fail("order and boundaries", "%s, read %d: crosses from %v to %v", s.peer.name, i, came, m)
		case m != came && first && !r.lost && m.returned && m.err == nil:
			s.w.fail("received exactly once", "%s, read %d: %v without its descriptors", s.peer.name, i, m)
		}
	}
}
