package sim

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"

	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/wire"
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
//	honest peers             no end is told that the other one breaks the rules
//	faults                   what a real system would punish, as closing what is not open
//	waits for ever           a call or a goroutine: see World.Run

// Check holds the books against each other.
func (w *World) Check() {
	for _, s := range w.sides {
		s.got = slices.DeleteFunc(s.got, func(r *reading) bool { return r.void })
	}
	for _, s := range w.sides {
		s.check()
	}
	for _, b := range w.boxes {
		b.check()
	}
	for _, p := range w.procs {
		p.check()
	}
}

// check looks at a process's table after everything has been closed.
func (p *Process) check() {
	for _, f := range p.Faults() {
		p.w.fail("faults", "%s", f)
	}
	if p.dead {
		return
	}
	excused := 0
	for _, o := range p.orphans {
		// Nobody is left who could have taken it back; the packet that told of it is lost; or it
		// cannot be taken back: a socket that was exported with a message that nobody has
		// acknowledged (see followOrphans).
		if o.by.dead || o.from.on.broken || o.socket {
			excused++
		}
	}
	if n := p.Len(); n > excused {
		p.w.fail("left behind", "%s has %d handles: %#x, of which %d are nobody's fault", p.name, n, p.Values(), excused)
	}
}

// uncertain: nobody can know whether it has arrived (P3).
func (m *Message) uncertain() bool { return !m.returned || m.err != nil && m.n > 0 }

// failed: it says that it has sent nothing.
func (m *Message) failed() bool { return m.returned && m.err != nil && m.n == 0 }

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
	got := s.w.take(s.peer.length)[:0]
	for _, r := range s.peer.got {
		got = append(got, r.data...)
	}
	must := 0 // so many bytes have to have come
	for _, m := range s.sent {
		must += m.n
		m.start = absent
	}
	switch fit := arrange(got, 0, s.sent); {
	case fit < len(got) && s.failed(got[fit:]):
		s.w.fail("failed, nothing sent", "%s has received bytes of a message that failed", s.peer.name)
	case fit < len(got):
		s.w.fail("order and boundaries", "%s has received other bytes than were sent, %d of %d", s.peer.name, len(got)-fit, len(got))
	case len(got) < must && s.complete():
		s.w.fail("order and boundaries", "%s has received %d bytes, and then the end; %d were sent", s.peer.name, len(got), must)
	}
}

// absent is where a message begins in the stream that is nowhere in it.
const absent = -1

// arrange finds out where messages begin in what has been received, from at on, and returns how far
// they explain it. Of a message of which the outcome is unknown all may have come, some of it, or
// nothing.
func arrange(got []byte, at int, sent []*Message) (fit int) {
	if len(sent) == 0 || at == len(got) {
		return at
	}
	m, rest := sent[0], got[at:]
	common := 0
	if n := min(len(m.data), len(rest)); bytes.Equal(m.data[:n], rest[:n]) {
		common = n
	}
	for common < min(len(m.data), len(rest)) && m.data[common] == rest[common] {
		common++
	}
	lengths := []int{m.n}
	if m.uncertain() {
		lengths = []int{common, common - 1, m.n, 0} // a byte of the next message may be the same by chance
	}
	for _, n := range lengths {
		if n < 0 || min(n, len(rest)) > common {
			continue
		}
		if m.start = at; n == 0 {
			m.start = absent
		}
		end := at + min(n, len(rest))
		if fit = max(fit, arrange(got, end, sent[1:])); fit == len(got) {
			return fit
		}
		fit = max(fit, end)
	}
	return fit
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
		for i < len(s.sent) && s.skipped(i, r) {
			i++
		}
		if i == len(s.sent) || !bytes.Equal(s.sent[i].data, r.data) {
			s.w.fail("order and boundaries", "%s has received a record of %d bytes that is none that comes next", s.peer.name, len(r.data))
			return
		}
		i++
	}
	for ; i < len(s.sent) && s.complete(); i++ {
		if m := s.sent[i]; m.returned && m.err == nil {
			s.w.fail("order and boundaries", "%s has not received %v", s.peer.name, m)
		}
	}
}

// skipped reports whether message i has not arrived, and r is something later.
func (s *Side) skipped(i int, r *reading) bool {
	m := s.sent[i]
	if !m.failed() {
		return m.uncertain() && !bytes.Equal(m.data, r.data)
	}
	later := func(n *Message) bool { return !n.failed() && bytes.Equal(n.data, r.data) } // a byte may be the same by chance
	if bytes.Equal(m.data, r.data) && len(m.data) > 0 && !slices.ContainsFunc(s.sent[i+1:], later) {
		s.w.fail("failed, nothing sent", "%s has received %v", s.peer.name, m)
	}
	return true
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
		s.checkReading(i, r, came)
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

// checkArrived looks for descriptors that should have come. Those of a message that succeeded are
// in the receiver's queue, and if the pipe has broken, too.
func (s *Side) checkArrived(seen map[*simproc.File]int) {
	r := s.peer
	if r.ended == nil || r.stopped || errors.Is(r.ended, net.ErrClosed) {
		return // it has closed or died
	}
	lost := slices.ContainsFunc(r.got, func(g *reading) bool { return g.lost })
	full := slices.ContainsFunc(s.w.procs, func(p *Process) bool { return p.full }) // whoever had the end then
	for _, m := range s.sent {
		inPieces := s.typ != sock.Stream && len(m.data) > wire.MinPayload // of which not all may have come
		if !m.returned || m.err != nil || len(m.files) == 0 || s.on.broken && inPieces {
			continue
		}
		for _, f := range m.files {
			if seen[f] == 0 && !(lost && full) {
				s.w.fail("received exactly once", "%s has not received the descriptors of %v", r.name, m)
				break
			}
		}
	}
	if lost && !full && !slices.ContainsFunc(s.sent, func(m *Message) bool { return len(m.files) > 0 && m.uncertain() }) {
		s.w.fail("received exactly once", "%s has lost descriptors, and there was room", r.name)
	}
}

// checkReading holds one read against the rule that descriptors ride on the first byte of their
// message, and that no read goes beyond those.
func (s *Side) checkReading(i int, r *reading, came *Message) {
	if s.typ != sock.Stream {
		if came != nil && !bytes.Equal(came.data, r.data) {
			s.w.fail("order and boundaries", "%s: the descriptors of %v came with another record", s.peer.name, came)
		}
		return
	}
	for _, m := range s.sent {
		first := len(m.files) > 0 && r.from <= m.start && m.start < r.to // never, if it is absent
		switch {
		case m == came && !first:
			s.w.fail("order and boundaries", "%s, read %d: descriptors without the first byte of %v", s.peer.name, i, m)
		case m == came && r.to > m.start+len(m.data):
			s.w.fail("order and boundaries", "%s, read %d: goes beyond %v", s.peer.name, i, m)
		case m != came && first && came != nil:
			s.w.fail("order and boundaries", "%s, read %d: crosses from %v to %v", s.peer.name, i, came, m)
		case m != came && first && !r.lost && m.returned && m.err == nil:
			s.w.fail("received exactly once", "%s, read %d: %v without its descriptors", s.peer.name, i, m)
		}
	}
}
