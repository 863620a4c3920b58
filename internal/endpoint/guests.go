package endpoint

import (
	"errors"
	"net"
	"syscall"

	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// This file is about the clients of a listener that do not speak our protocol (see pipe.Host): they
// have come by the public name, and are streams once they have been accepted.

// guests are those that nobody has accepted. They are guarded by door.mu.
type guests struct {
	host  pipe.Host           // nil: none come
	asked map[pipe.Guest]bool // about whom Authorize has not said anything; false: it has not been asked yet
	queue []pipe.Guest        // who may be accepted, in their order
	last  bool                // the client that was accepted last was a guest
	ran   chan struct{}       // closed when runGuests has ended
}

// receiveLocked begins to take in guests, if some may come. The caller holds l.mu.
func (l *door[C]) receiveLocked() {
	g := &l.guests
	g.ran = make(chan struct{})
	if g.host == nil {
		close(g.ran)
		return
	}
	if g.asked == nil {
		g.asked = make(map[pipe.Guest]bool)
	}
	go l.runGuests()
}

// runGuests takes in guests until the source is closed or suspended.
func (l *door[C]) runGuests() {
	defer close(l.guests.ran)
	var need scarcity
	for l.awaitRoom() {
		g, err := l.guests.host.AcceptGuest()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			wait, _ := need.again()
			if l.report(err, wait) {
				return
			}
		default:
			need = scarcity{}
			l.welcome(g)
		}
	}
}

// awaitRoom waits until another guest may come, and reports false once l is closed. A source that
// is about to be suspended says itself that nobody comes any more.
func (l *door[C]) awaitRoom() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && !l.paused && l.guests.full(l.backlog.Limit()) {
		l.cond.Wait()
	}
	return !l.closed
}

// full reports whether as many guests are here as may be. As over the kernel, one more than the
// limit fits (row 102).
func (g *guests) full(limit int) bool {
	return len(g.asked)+len(g.queue) > limit || len(g.asked) >= sock.MaxGreetings
}

// welcome has a guest asked about, if there is anybody to be asked, or lets it in.
func (l *door[C]) welcome(g pipe.Guest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		g.Close()
	case l.cfg.Authorize != nil:
		l.guests.asked[g] = false
		go l.ask(g)
	default:
		l.guests.queue = append(l.guests.queue, g)
		l.cond.Broadcast()
	}
}

// ask asks about a guest: see Config.Authorize. Who that is may not be known.
func (l *door[C]) ask(g pipe.Guest) {
	who, err := g.Peer()
	if !l.present(g) {
		return
	}
	if err == nil {
		err = l.cfg.Authorize(who)
	}
	l.answer(g, err == nil)
}

// present notes that Authorize is asked about a guest, whom Close turns away from now on. It
// reports whether the guest is still here.
func (l *door[C]) present(g pipe.Guest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		delete(l.guests.asked, g)
		g.Close()
		return false
	}
	l.guests.asked[g] = true
	return true
}

// answer lets a guest in, or turns it away.
func (l *door[C]) answer(g pipe.Guest, welcome bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, here := l.guests.asked[g]; !here {
		return // l has been closed
	}
	delete(l.guests.asked, g)
	if welcome {
		l.guests.queue = append(l.guests.queue, g)
	} else {
		g.Close()
	}
	l.cond.Broadcast()
}

// next takes the next guest who may be accepted; nil if there is none.
func (g *guests) next() (guest pipe.Guest) {
	if len(g.queue) == 0 {
		return nil
	}
	guest, g.queue[0] = g.queue[0], nil
	g.queue = g.queue[1:]
	return guest
}

// takeAny waits for the next client, or for a guest. If there are both, they take turns.
func (l *door[C]) takeAny() (c C, g pipe.Guest, err error) {
	err = l.await(func() (ok bool) {
		if !l.guests.last {
			g = l.guests.next()
		}
		if g == nil {
			c, ok = l.nextLocked()
		}
		if g == nil && !ok {
			g = l.guests.next()
		}
		if l.guests.last = g != nil; l.guests.last {
			l.cond.Broadcast() // there is room for another one
		}
		return ok || l.guests.last
	})
	return c, g, err
}

// lodge adds the guests to what a listener that moves is made of, once nobody is asked about any of
// them. ETOOMANYREFS: there are too many.
func (l *door[C]) lodge() error {
	if l.guests.host == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.guests.asked) > 0 {
		l.cond.Wait()
	}
	for _, g := range l.guests.queue {
		l.handles = append(l.handles, g.Descriptor())
	}
	if len(l.handles) > pipe.MaxHandles {
		return syscall.ETOOMANYREFS
	}
	return nil
}

// dismissLocked turns all guests away, but for those whom ask has not presented yet. If they have
// been handed on, they stay there.
func (l *door[C]) dismissLocked() {
	g := &l.guests
	for _, guest := range g.queue {
		guest.Close()
	}
	for guest, presented := range g.asked {
		if presented {
			delete(g.asked, guest)
			guest.Close()
		}
	}
	g.queue = nil
}
