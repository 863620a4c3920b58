//go:build unix || windows

package kernel

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"afunix/internal/cred"
	"afunix/internal/locks"
)

// A door lets in the clients of a listener that authorize does not refuse. That may take long. So
// each client is asked about on a goroutine of its own, and the next client is taken in meanwhile.
// But no client is taken out of the kernel's queue unless a call waits in accept: otherwise another
// process that has the socket, a successor perhaps, would not get that client.
type door struct {
	acceptor
	authorize func(cred.Credentials) error
	room      int // for so many clients

	mu       locks.Mutex[locks.Door]
	cond     sync.Cond
	asked    map[*Conn]struct{} // about whom authorize has not said anything
	admitted []*Conn            // in the order in which they were let in
	taking   bool               // an accept waits for the kernel: see wake
	deadline time.Time
	timer    *time.Timer
	closed   bool
}

// maxAsked is how many clients are asked about at a time, if the backlog is not smaller. Each has a
// goroutine and a descriptor.
const maxAsked = 256

// newDoor returns a door with room for as many clients as the kernel has in a backlog: one more
// than it says (row 102).
func newDoor(a acceptor, authorize func(cred.Credentials) error, backlog int) *door {
	d := &door{acceptor: a, authorize: authorize, room: maxAsked, asked: make(map[*Conn]struct{})}
	if 0 < backlog && backlog < maxAsked {
		d.room = backlog + 1
	}
	d.cond.L = &d.mu
	return d
}

// accept waits for the next client who is let in.
func (d *door) accept() (*Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case d.closed:
			return nil, net.ErrClosed
		case !d.deadline.IsZero() && !time.Now().Before(d.deadline):
			return nil, os.ErrDeadlineExceeded
		case len(d.admitted) > 0:
			c := d.admitted[0]
			d.admitted = d.admitted[1:]
			d.cond.Broadcast() // there is room for another one
			return c, nil
		case d.taking || len(d.asked) >= d.room:
			d.cond.Wait()
		default:
			if err := d.take(); err != nil {
				return nil, err
			}
		}
	}
}

// take waits for a client and has authorize asked about it, or until wake is called. The caller
// holds mu.
func (d *door) take() error {
	d.taking = true
	_ = d.l.SetDeadline(time.Time{}) // fails if it is closed; AcceptUnix does, too
	d.mu.Unlock()
	c, err := d.acceptor.accept()
	if err == nil {
		d.present(c)
	}
	d.mu.Lock()
	d.taking = false
	d.cond.Broadcast() // somebody else may wait for the next one
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// A moment is what authorize has before the next client is asked about. So they are let in in the
// order of their arrival, unless it takes long about one.
const moment = 10 * time.Millisecond

// present has a client asked about, and waits for the answer for a moment.
func (d *door) present(c *Conn) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		c.Close()
		return
	}
	d.asked[c] = struct{}{}
	d.mu.Unlock()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		d.ask(c)
	}()
	late := time.NewTimer(moment)
	defer late.Stop()
	select {
	case <-answered:
	case <-late.C:
	}
}

// ask asks about a client, and lets the client in. If the door has been closed meanwhile, the
// client's connection has been closed, too.
func (d *door) ask(c *Conn) {
	err := c.authorized(d.authorize)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.asked, c)
	if err == nil && !d.closed {
		d.admitted = append(d.admitted, c)
	} else {
		c.Close()
	}
	d.wake()
}

// wake makes every accept look around. The caller holds mu.
func (d *door) wake() {
	d.cond.Broadcast()
	if d.taking {
		_ = d.l.SetDeadline(time.Unix(1, 0)) // take goes on without one
	}
}

// setDeadline sets when accept gives up.
func (d *door) setDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return net.ErrClosed
	}
	d.stop()
	d.deadline = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.wake()
		})
	}
	d.wake()
	return nil
}

// stop ends the timer.
func (d *door) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

// close turns away the clients in the door. It does not wait for authorize, which has no part in
// their connections.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.stop()
	for c := range d.asked {
		c.Close()
	}
	for _, c := range d.admitted {
		c.Close()
	}
	d.admitted = nil
	d.wake()
}
