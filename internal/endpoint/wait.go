package endpoint

import (
	"time"

	"afunix/internal/sock"
)

// A wait is a call's wait for what the pipe brings for the sending half.
type wait struct {
	c     *session
	begun bool
}

// moreLocked waits until something may have happened.
func (w *wait) moreLocked() {
	w.begun = true
	w.c.turn.awaitElseLocked()
}

// endLocked ends the call.
func (w *wait) endLocked() {
	if w.begun {
		w.c.turn.leaveLocked()
	}
}

// patience bounds the wait for a peer that is suspended. It will see what it was told before
// anything that comes later.
const patience = time.Second

// A limit is passed after a while, and then wakes whoever waits for either half. It is guarded by
// session.mu.
type limit struct {
	passed bool
	timer  *time.Timer
}

// after returns a limit, which the caller stops.
func (c *session) after(d time.Duration) *limit {
	l := new(limit)
	l.timer = time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		l.passed = true
		c.wakeWritesLocked()
		c.in.cond.Broadcast()
	})
	return l
}

func (l *limit) stop() { l.timer.Stop() }

// maxAbsence bounds the wait for whoever has the other end next. A child that inherits it may never
// be started.
const maxAbsence = 10 * time.Second

// An absence is a wait during which the other end may be in nobody's hands. It is guarded by
// session.mu.
type absence struct {
	c     *session
	limit *limit
}

// passed reports whether that has been so for too long. The wait is over then.
func (a *absence) passed() bool {
	switch {
	case !a.c.moves.Abroad():
		a.end()
		return false
	case a.limit == nil:
		a.limit = a.c.after(maxAbsence)
	}
	return a.limit.passed
}

// end ends the wait.
func (a *absence) end() {
	if a.limit != nil {
		a.limit.stop()
		a.limit = nil
	}
}

// tellLocked pays a debt that the peer acknowledges, and waits for that: once it returns, the peer
// goes by what it was told, as on one machine's kernel. If the other end is in nobody's hands there
// is nothing to wait for: whoever comes takes in what has been said before he does anything else
// (see Taken). The pen is free, and what there is to the debt has been noted.
func (c *session) tellLocked(d sock.Debt) {
	if c.out.box.Gone() {
		return // nobody is left to be told
	}
	t := c.pen.owed.Ask(d)
	c.pen.owed.Owe(d)
	c.pen.payLocked()
	late := c.after(patience)
	defer late.stop()
	w := wait{c: c}
	defer w.endLocked()
	for t.Fate == sock.Written && !late.passed && !c.closed && !c.pen.severed() && !c.moves.Abroad() {
		w.moreLocked()
	}
}
