package sim

import (
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
	l := &life{Side: s, p: s.holder}
	w.lives[s], s.lives = l, 1
	return l
}

// third adds a program that waits.
func third(w *World, over *life, what plight) {
	w.running["another program"]++
	w.enter(call{over: over, of: over.Side, plight: what})
}
