package sim

import (
	"slices"
	"syscall"
	"testing"

	"afunix/internal/simproc"
	"afunix/internal/sock"
)

// Two programs deadlock: each moves a listener over a connection that the other's listener has not
// accepted, and that is full. Others may wait for what these two would do.
func TestProgramsThatWaitForEachOther(t *testing.T) {
	for name, change := range map[string]func(w *World, one, other *call){
		"nobody else":            func(*World, *call, *call) {},
		"who waits for a turn":   func(w *World, one, _ *call) { third(w, one.over, turns) },
		"who receives":           func(w *World, one, _ *call) { third(w, one.over, arrivals) },
		"who waits for a reader": func(w *World, one, _ *call) { third(w, one.over, arrivals); third(w, one.over, readers) },
	} {
		t.Run(name, func(t *testing.T) {
			if !deadlock(change) {
				t.Error("that is no deadlock")
			}
		})
	}
}

// If anything of that is missing it is the engine that lets them wait.
func TestProgramsThatDoNotWaitForEachOther(t *testing.T) {
	for name, change := range map[string]func(w *World, one, other *call){
		"there is room":                    func(_ *World, one, _ *call) { one.over.sent[0].files = nil },
		"what fills it was not sent":       func(_ *World, one, _ *call) { one.over.sent[0].n = 0 },
		"the send has a deadline":          func(_ *World, one, _ *call) { one.message.limited = true },
		"the connection has been accepted": func(_ *World, one, _ *call) { one.over.peer.lives = 1 },
		"the connection is another's":      func(w *World, one, _ *call) { w.lives[one.over.Side] = new(life) },
		"the connection has been closed":   func(_ *World, one, _ *call) { one.over.stopped = true },
		"the pipe has been cut":            func(_ *World, one, _ *call) { one.over.on.broken = true },
		"the process ends":                 func(_ *World, one, _ *call) { one.over.p.leaving = true },
		"the process is dead":              func(_ *World, one, _ *call) { one.over.p.dead = true },
		"the other one does not wait":      func(_ *World, _, other *call) { other.plight = goesOn },
		"the other one is no listener":     func(_ *World, _, other *call) { other.listener = false },
		"the other one's is another":       func(_ *World, one, other *call) { other.of = one.of },
		"somebody makes no call":           func(w *World, _, _ *call) { w.running["another program"] = 1 },
		"somebody waits for no reader":     func(w *World, one, _ *call) { third(w, one.over, readers) },
		"somebody waits for no sender":     func(w *World, one, _ *call) { third(w, w.live(one.over.peer), turns) },
		"somebody receives from nobody":    func(w *World, one, _ *call) { third(w, w.live(one.over.peer), arrivals) },
	} {
		t.Run(name, func(t *testing.T) {
			if deadlock(change) {
				t.Error("that is a deadlock")
			}
		})
	}
}

// One program deadlocks with itself: it moves a listener over a connection that is full. The other
// end of that connection is in the queue of an end that only this listener could accept.
func TestAProgramThatWaitsForWhatItMoves(t *testing.T) {
	for name, change := range map[string]func(w *World, k *knot){
		"nobody else":  func(*World, *knot) {},
		"who receives": func(w *World, k *knot) { third(w, w.lives[k.full], arrivals) },
		"who has received all": func(w *World, k *knot) {
			k.full.peer.sent, k.full.length = []*Message{{returned: true, n: 5}}, 5
			third(w, w.lives[k.full], arrivals)
		},
		"something has been received": func(_ *World, k *knot) {
			k.full.sent = slices.Insert(k.full.sent, 0, &Message{returned: true, n: 7})
			k.full.peer.length = 7
		},
		"it was a listener that went": func(_ *World, k *knot) { k.under.listener, k.full.peer.lives = true, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			if !entangled(change) {
				t.Error("that is no deadlock")
			}
		})
	}
}

// If anything of that is missing it is the engine that lets it wait.
func TestAProgramThatDoesNotWaitForWhatItMoves(t *testing.T) {
	for name, change := range map[string]func(w *World, k *knot){
		"the end has arrived":             func(_ *World, k *knot) { k.under.arrived = true },
		"it has not gone":                 func(_ *World, k *knot) { k.went.err = syscall.EAGAIN },
		"nobody knows whether it has":     func(_ *World, k *knot) { k.went.returned = false },
		"another end has gone":            func(_ *World, k *knot) { k.under.of = k.full },
		"it is closed":                    func(_ *World, k *knot) { k.full.peer.end().released = true },
		"what it is in is closed":         func(_ *World, k *knot) { k.over.peer.end().released = true },
		"what it went over has been cut":  func(_ *World, k *knot) { k.over.on.broken = true },
		"what it is in has been accepted": func(_ *World, k *knot) { k.over.peer.lives = 1 },
		"the listener is another's":       func(_ *World, k *knot) { k.moves.of = k.full.peer },
		"it is in its own queue":          func(_ *World, k *knot) { k.full.sent[0].cargo, k.under.arrived = &cargo{of: k.full.peer}, true },
		"what fills it has been received": func(_ *World, k *knot) { k.full.peer.length = 1 },
		"a part of that has been":         func(_ *World, k *knot) { k.full.sent[0].n, k.full.peer.length = 9, 5 },
		"something is there to be received": func(w *World, k *knot) {
			k.full.peer.sent = []*Message{{returned: true, n: 5}}
			third(w, w.lives[k.full], arrivals)
		},
		"something may be": func(w *World, k *knot) {
			k.full.peer.sent = []*Message{{}}
			third(w, w.lives[k.full], arrivals)
		},
		"nothing more will be": func(w *World, k *knot) { w.lives[k.full.peer].senders = 0; third(w, w.lives[k.full], arrivals) },
	} {
		t.Run(name, func(t *testing.T) {
			if entangled(change) {
				t.Error("that is a deadlock")
			}
		})
	}
}

// A knot is such a program.
type knot struct {
	full, over *Side    // which it moves the listener over; and over which the other end of that went
	went       *Message // in which that is
	under      *cargo   // that it is
	moves      *call
}

// entangled reports whether a program waits for what it moves, after a change.
func entangled(change func(w *World, k *knot)) bool {
	w := new(World)
	w.init(1, false)
	p, q := w.Spawn("p", Standing{}), w.Spawn("q", Standing{})
	far, full := w.connection(sock.Stream, q, p, 1, 1)
	waits, over := w.connection(sock.Stream, p, q, 2, 1)
	l := w.live(full)
	w.live(far)
	w.live(over)
	m := &Message{side: full, files: make([]*simproc.File, 1), cargo: &cargo{of: waits, listener: true}}
	full.sent = []*Message{{side: full, files: make([]*simproc.File, afterAccept), returned: true, n: 1}, m}
	under := &cargo{of: far}
	went := &Message{side: over, cargo: under, returned: true, n: 1}
	over.sent = []*Message{went}
	w.running["listener"] = 1
	k := &knot{full: full, over: over, went: went, under: under}
	k.moves = w.enter(call{over: l, of: waits, listener: true, plight: space, message: m})
	change(w, k)
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.deadlocked()) > 0
}

// deadlock reports whether two programs wait for each other, and everybody for them, after a
// change.
func deadlock(change func(w *World, one, other *call)) bool {
	w := new(World)
	w.init(1, false)
	one, other := embrace(w)
	change(w, one, other)
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.deadlocked()) > 0
}

// embrace makes two calls that wait for each other.
func embrace(w *World) (one, other *call) {
	p, q := w.Spawn("p", Standing{}), w.Spawn("q", Standing{})
	ps, qc := w.connection(sock.Stream, p, q, 1, 1)
	qs, pc := w.connection(sock.Stream, q, p, 2, 1)
	moves := func(of, over *Side) *call {
		l := w.live(over)
		full := &Message{side: over, files: make([]*simproc.File, beforeAccept), returned: true, n: 1}
		m := &Message{side: over, files: make([]*simproc.File, 1), cargo: new(cargo)}
		over.sent = []*Message{full, m}
		w.running["listener of "+of.name] = 1
		return w.enter(call{over: l, of: of, listener: true, plight: space, message: m})
	}
	return moves(ps, pc), moves(qs, qc)
}

// live gives a side to who holds it.
func (w *World) live(s *Side) *life {
	l := &life{Side: s, p: s.holder, senders: 1}
	w.lives[s], s.lives = l, 1
	return l
}

// third adds a program that waits.
func third(w *World, over *life, what plight) {
	w.running["another program"]++
	w.enter(call{over: over, of: over.Side, plight: what})
}
