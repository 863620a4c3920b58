package endpoint

import (
	"sync"
	"time"
)

// A deadline is one direction's. It is guarded by the lock of cond, which is broadcast when it expires.
type deadline struct {
	cond    *sync.Cond
	at      time.Time
	timer   *time.Timer
	expired bool
}

// set replaces the deadline; the zero time means none.
func (d *deadline) set(t time.Time) {
	d.at, d.expired = t, false
	if d.timer != nil {
		d.timer.Stop()
	}
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	switch {
	case wait <= 0:
		d.expired = true
		d.cond.Broadcast()
	case d.timer == nil:
		d.timer = time.AfterFunc(wait, d.fire)
	default:
		d.timer.Reset(wait)
	}
}

// fire runs when the timer ends. The deadline may have been replaced while it waited for the lock.
func (d *deadline) fire() {
	d.cond.L.Lock()
	defer d.cond.L.Unlock()
	if !d.at.IsZero() && time.Until(d.at) <= 0 {
		d.expired = true
		d.cond.Broadcast()
	}
}

// stop ends the timer for good.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
