package winsock

import (
	"net"
	"time"
	"weak"
)

// SetDeadline sets the deadlines of both directions, as net.Conn says.
func (s *socket) SetDeadline(t time.Time) error { return s.setDeadlines(t, true, true) }

// SetReadDeadline sets the deadline of calls that read or accept.
func (s *socket) SetReadDeadline(t time.Time) error { return s.setDeadlines(t, true, false) }

// SetWriteDeadline sets the deadline of calls that write. A Write that it ends may have written a
// part.
func (s *socket) SetWriteDeadline(t time.Time) error { return s.setDeadlines(t, false, true) }

func (s *socket) setDeadlines(t time.Time, read, write bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.wrap("set", net.ErrClosed)
	}
	if read {
		s.setDeadline(t, readingOf)
	}
	if write {
		s.setDeadline(t, writingOf)
	}
	return nil
}

func readingOf(s *socket) *direction { return &s.reading }
func writingOf(s *socket) *direction { return &s.writing }

// setDeadline also holds for the call under way. The caller holds s.mu.
func (s *socket) setDeadline(t time.Time, of func(*socket) *direction) {
	d := of(s)
	d.stopTimer()
	d.expired = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		s.expire(d)
		return
	}
	// From now on by the monotonic clock: setting the wall clock does not move a deadline.
	d.deadline = time.Now().Add(wait)
	if d.timer != nil {
		d.timer.Reset(wait)
		return
	}
	// The socket refers to the timer; if the timer referred to the socket, that could never be
	// finalized.
	self := weak.Make(s)
	d.timer = time.AfterFunc(wait, func() {
		if s := self.Value(); s != nil {
			s.timeUp(of(s))
		}
	})
}

func (d *direction) stopTimer() {
	d.deadline = time.Time{}
	if d.timer != nil {
		d.timer.Stop()
	}
}

// timeUp is called by the timer; also by one that was stopped or moved too late, which does not
// count.
func (s *socket) timeUp(d *direction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !d.deadline.IsZero() && !time.Now().Before(d.deadline) {
		s.expire(d)
	}
}

// expire ends the call under way, and fails those to come. The caller holds s.mu.
func (s *socket) expire(d *direction) {
	d.expired = true
	s.interrupt(d)
}
