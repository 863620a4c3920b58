package endpoint

import (
	"time"

	"afunix/internal/pipe"
	"afunix/internal/wire"
)

// A scarcity is a time in which nobody can be taken in.
type scarcity struct {
	since time.Time
	wait  time.Duration
}

// maxScarcity is how long clients wait for it to end: it may be over in a moment, and else nobody
// says anything to them.
const maxScarcity = 5 * time.Second

// again says how long to wait this time, and whether it has lasted for too long.
func (s *scarcity) again() (wait time.Duration, long bool) {
	if s.wait == 0 {
		s.since = time.Now()
	}
	s.wait = min(max(2*s.wait, time.Millisecond), time.Second)
	return s.wait, time.Since(s.since) > maxScarcity
}

// shed tells a client that waits that there is no room for it, as if the backlog were full. It
// reports whether there was one.
func (l *door[C]) shed() bool {
	source, ok := l.source.(pipe.Shedder)
	if !ok {
		return false
	}
	defer source.Replenish()
	p, err := source.Shed()
	if err != nil {
		return false
	}
	defer p.Close()
	p.Interrupt() // it has said hello by now, or is cut off
	g := greeting{c: l.make(p, l.cfg, true, 0).base(), cfg: l.cfg}
	if _, _, err := g.hear(0); err == nil {
		_ = g.refuse(wire.Full, nil) // it may have gone
	}
	return true
}
