package endpoint

import (
	"sync"
	"time"
)

// A deadline is one direction's. It is guarded by mu, and calls wake with mu held when it expires.
type deadline struct {
	mu      sync.Locker
	wake    func()
	at      time.Time
	timer   *time.Timer
	expired bool
}

// setLocked replaces the deadline; the zero time means none.
func (d *deadline) setLocked(t time.Time) {
	d.at, d.expired = t, false
	d.stopLocked()
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	switch {
	case wait <= 0:
		d.expired = true
		d.wake()
	case d.timer == nil:
		d.timer = time.AfterFunc(wait, d.fire)
	default:
		d.timer.Reset(wait)
	}
}

// fire runs when the timer ends. The deadline may have been replaced while it waited for the lock.
func (d *deadline) fire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.at.IsZero() && time.Until(d.at) <= 0 {
		d.expired = true
		d.wake()
	}
}

// stopLocked ends the timer.
func (d *deadline) stopLocked() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
