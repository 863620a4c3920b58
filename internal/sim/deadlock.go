package sim

import (
	"slices"

	"afunix/internal/sock"
)

// This file is about programs that wait for each other, so that it is not the engine's fault if
// they wait for ever: each has filled the queue of an end that nobody has, and whoever would take
// that end waits in the same way. He would accept the connection; or the end, or its listener, is
// in the queue of another end that nobody has. So does sendmsg(2) wait for room. What counts here is
// what the books say, and nothing that the engine says: who has not been told by the engine of what
// has happened is not excused.

// A plight is what a program waits for.
type plight uint8

const (
	goesOn   plight = iota // nothing, or it is at a gate
	turns                  // another program that is sending
	space                  // it sends, and there may be no room
	readers                // another program that is receiving
	arrivals               // it receives
)

// A call is one that a program makes. It is guarded by World.mu.
type call struct {
	over     *life // which it sends over, or receives from
	of       *Side // whose program it is; nil: of nothing that matters here
	listener bool  // … or whoever would accept that side
	plight   plight
	message  *Message // that it sends
}

// enter notes that a program begins a call.
func (w *World) enter(c call) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, &c)
	return &c
}

// leave notes that the call is over.
func (w *World) leave(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = slices.DeleteFunc(w.calls, func(d *call) bool { return c == d })
}

// awaits notes what the call waits for, and which message it sends.
func (w *World) awaits(c *call, what plight, m *Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.plight, c.message = what, m
}

// deadlocked returns the calls of all programs that run, if each of them waits for others of these,
// and rightly so. The caller holds mu.
func (w *World) deadlocked() []*call {
	running := 0
	for _, n := range w.running {
		running += n
	}
	stuck := slices.Clone(w.calls)
	for before := -1; before != len(stuck); {
		before = len(stuck)
		others := slices.Clone(stuck)
		stuck = slices.DeleteFunc(stuck, func(c *call) bool { return !c.endless() || !c.waitsFor(others) })
	}
	if len(stuck) < running {
		return nil
	}
	return stuck
}

// endless reports whether nothing has happened that the engine would have to end c for.
func (c *call) endless() bool {
	s, p := c.over.Side, c.over.p
	return s.w.lives[s] == c.over && !s.stopped && !s.on.broken && !p.dead && !p.leaving && (c.message == nil || !c.message.limited)
}

// waitsFor reports whether c waits rightly, and for one of the others.
func (c *call) waitsFor(others []*call) bool {
	s := c.over.Side
	at := func(what plight) bool {
		return slices.ContainsFunc(others, func(d *call) bool { return d.over == c.over && d.plight == what })
	}
	switch c.plight {
	case turns:
		return at(space)
	case space:
		return s.peer.ownerless(others) && s.crowded(c.message)
	case readers:
		return at(arrivals)
	case arrivals:
		return s.peer.ownerless(others) && s.heardAll()
	}
	return false
}

// ownerless reports whether no process has s, and whoever would take it is one of those who wait:
// who would accept it, or whatever it is under way in.
func (s *Side) ownerless(others []*call) bool {
	for range s.w.sides { // no way is longer
		if s.end().released {
			return false
		}
		if s.lives == 0 && slices.ContainsFunc(others, func(d *call) bool {
			return d.listener && d.of == s && (d.plight == turns || d.plight == space)
		}) {
			return true
		}
		carrier := s.carrier()
		if carrier == nil || carrier.on.broken {
			return false
		}
		s = carrier.peer
	}
	return false
}

// end returns that of the pipe.
func (s *Side) end() *end {
	if s.on.server.side == s {
		return &s.on.server
	}
	return &s.on.client
}

// carrier returns the side over which s has been sent, or the listener with which s goes, if nobody
// has received that; else nil.
func (s *Side) carrier() *Side {
	for _, over := range s.w.sides {
		if slices.ContainsFunc(over.sent, func(m *Message) bool {
			return m.cargo != nil && m.cargo.of == s && !m.cargo.arrived && m.returned && m.err == nil
		}) {
			return over
		}
	}
	return nil
}

// crowded reports whether there is no room for m in the queue of s's peer, which nobody has: all
// that has been sent and not received is there. It is what there is at least.
func (s *Side) crowded(m *Message) bool {
	files, cost, at := len(m.files), uint64(0), 0
	if m.cargo != nil {
		files++
	}
	for _, before := range s.sent {
		if before == m || !before.returned || before.n == 0 {
			continue
		}
		if at >= s.peer.length {
			files += len(before.files)
			cost += sock.Cost(before.n)
		}
		if !before.uncertain() { // else it may not have come so far
			at += before.n
		}
	}
	return files > s.peer.bound || cost >= sock.DefaultWindow
}

// heardAll reports whether s has received all that its peer has sent, whose programs have not ended
// that.
func (s *Side) heardAll() bool {
	sent := 0
	for _, m := range s.peer.sent {
		if !m.returned {
			return false
		}
		sent += m.n
	}
	l := s.w.lives[s.peer]
	return sent == s.length && (l == nil || l.senders > 0)
}

// part ends a deadlock of the programs as their user would: one of the processes ends. It reports
// whether there was one.
func (w *World) part() bool {
	w.mu.Lock()
	stuck := w.deadlocked()
	if len(stuck) == 0 {
		w.mu.Unlock()
		return false
	}
	first := slices.MinFunc(stuck, func(c, d *call) int { return c.over.p.number - d.over.p.number }).over.p
	w.note("DEADLOCK", word("all programs wait for each other, and "+first.name+" is ended"))
	w.mu.Unlock()
	first.exit()
	return true
}
