package endpoint

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"afunix/internal/locks"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// helloTimeout bounds the wait for a client's hello.
const helloTimeout = 10 * time.Second

// A door is where clients come in: it answers hellos as they come, so that a connection is complete
// before it is accepted, as in the kernel. Its clients are the connections of a Listener, or the
// links of a datagram socket.
type door[C client] struct {
	source pipe.Source
	cfg    Config
	addr   *net.UnixAddr
	make   maker[C]

	mu       locks.Mutex[locks.Listener]
	cond     sync.Cond
	deadline deadline
	backlog  sock.Backlog[C]
	err      error // of the source, for one Accept
	closed   bool
	pass     bool // SO_PASSCRED, which connections get from it
	guests   guests
	doorMove
}

// open makes l a door to the pipes of source, which it owns, that lets nobody in yet. A backlog
// below 1 means the maximum.
func (l *door[C]) open(source pipe.Source, cfg Config, backlog int, make maker[C]) {
	l.source, l.cfg, l.make = source, cfg, make
	l.guests.host, _ = source.(pipe.Host)
	l.addr = address(cfg.Type, cfg.Local)
	l.backlog = sock.NewBacklog[C](backlog)
	l.cond.L = &l.mu
	l.deadline.mu, l.deadline.wake = &l.mu, l.cond.Broadcast
}

// run takes in pipes until the source is closed.
func (l *door[C]) run() {
	defer close(l.ran)
	var need scarcity
	for {
		p, err := l.source.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, most likely: tell whoever accepts, and try again when there may be some
			wait, long := need.again()
			if long && l.shed() {
				continue // there may be room for the next one
			}
			if l.report(err, wait) {
				return
			}
			continue
		}
		need = scarcity{}
		l.meet(p)
	}
}

// meet begins to greet a client, as soon as not too many are greeted.
func (l *door[C]) meet(p pipe.Pipe) {
	at := &sock.Place[C]{Client: l.make(p, l.cfg, true, 0)}
	if !l.greets(at) {
		p.Close()
		return
	}
	go l.greet(at)
}

// report hands an error of the source to one Accept, and waits. It reports whether the listener was
// closed meanwhile.
func (l *door[C]) report(err error, wait time.Duration) (closed bool) {
	timer := time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		wait = 0
		l.cond.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	l.cond.Broadcast()
	for wait > 0 && !l.closed {
		l.cond.Wait()
	}
	l.err = nil // it is of now, not of some later Accept
	return l.closed
}

// greets notes that a client's greeting begins, unless l is closed.
func (l *door[C]) greets(at *sock.Place[C]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && !l.backlog.Greet(at) {
		l.cond.Wait()
	}
	if !l.closed && l.paused {
		at.Client.base().pipe.Interrupt() // it goes along as it is
	}
	return !l.closed
}

// heard notes that a client has said hello, and is answered here.
func (l *door[C]) heard(at *sock.Place[C]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.Hear(at)
	if l.paused {
		at.Client.base().pipe.Resume()
	}
}

// greet answers the hello of a new connection and queues it. Whoever says nothing is sent away
// after a while.
func (l *door[C]) greet(at *sock.Place[C]) {
	c := at.Client.base()
	p := c.pipe
	c.custody = embryo
	l.bequeath(c)
	impatience := time.AfterFunc(helloTimeout, func() { p.Close() })
	g := greeting{c: c, cfg: l.cfg}
	err := g.asServer(func() { l.heard(at) }, func() (int, wire.Status) { return l.admit(at) })
	if errors.Is(err, os.ErrDeadlineExceeded) && impatience.Stop() {
		l.keepSilent(at)
		return
	}
	if !impatience.Stop() || err != nil {
		l.forget(at)
		p.Close()
		return
	}
	if at.Crowded() {
		c.turn.restFirst() // until somebody here waits for what the pipe brings, or accepts it
	}
	go c.turn.run()
	l.establish(at)
}

// admit gives a client its place in the queue, and says how many descriptors are taken from it
// before it is accepted. Clients are accepted in the order in which they are admitted.
func (l *door[C]) admit(at *sock.Place[C]) (rightsWindow int, s wire.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, wire.Refused
	}
	rightsWindow, room := l.backlog.Admit(at)
	if !room {
		return 0, wire.Full
	}
	return rightsWindow, wire.OK
}

// waiting is how many clients nobody has accepted.
func (l *door[C]) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.backlog.Queue())
}

// forget ends a greeting that came to nothing.
func (l *door[C]) forget(at *sock.Place[C]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.Forget(at)
	l.cond.Broadcast()
}

// establish ends a greeting.
func (l *door[C]) establish(at *sock.Place[C]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.Establish(at)
	l.cond.Broadcast()
}

// take waits for the next client.
func (l *door[C]) take() (c C, err error) {
	err = l.await(func() (ok bool) {
		c, ok = l.nextLocked()
		return ok
	})
	return c, err
}

// nextLocked takes the next client, if there is one.
func (l *door[C]) nextLocked() (c C, ok bool) {
	if c, ok = l.backlog.Next(); ok {
		l.handing++
	}
	return c, ok
}

// await waits until next has taken a client.
func (l *door[C]) await(next func() bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return net.ErrClosed
		case l.deadline.expired:
			return os.ErrDeadlineExceeded
		case l.paused || !l.started: // what comes of it?
			l.cond.Wait()
			continue
		}
		if next() {
			return nil
		}
		if err := l.err; err != nil {
			l.err = nil
			return err
		}
		l.cond.Wait()
	}
}

// SyscallConn gives access to the socket that listens, where there is one.
func (l *door[C]) SyscallConn() (syscall.RawConn, error) {
	if s, ok := l.source.(interface{ SyscallConn() syscall.RawConn }); ok {
		return s.SyscallConn(), nil
	}
	return nil, errors.ErrUnsupported // on Windows many handles listen
}

// Close stops listening. Connections that nobody has accepted are reset (row 199). As in package
// net the socket file goes first, and until then l is what it was: whoever learns by whatever call
// that l is closed, a second Close included, does not find the file any more.
func (l *door[C]) Close() error {
	err := l.source.Unlink()
	switch first, moving := l.markClosed(); {
	case !first:
		return net.ErrClosed
	case moving:
		return err // it moves, or is closed when it does not: see stay
	}
	return l.depose()
}

// markClosed wakes everybody, and reports whether this is the first Close, and whether l is being
// moved.
func (l *door[C]) markClosed() (first, moving bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, moving = !l.closed, l.paused
	l.closed = true
	l.deadline.stopLocked()
	l.cond.Broadcast()
	return first, moving
}

// depose closes a listener that has been marked as closed.
func (l *door[C]) depose() error {
	l.mu.Lock()
	started, admitted := l.started, l.backlog.Clear()
	var strangers []pipe.Pipe
	if started {
		strangers = l.strangersLocked()
	}
	l.dismissLocked()
	l.mu.Unlock()
	for _, p := range strangers {
		p.Close() // and their greetings end
	}
	err := l.source.Close()
	for _, at := range admitted {
		switch {
		case !started: // its former owner may still have it
			at.Client.Close()
		case l.greeted(at):
			at.Client.base().close(true)
		}
	}
	if !started {
		l.Release()
	}
	return err
}

// strangersLocked returns the pipes of all who are being greeted but for those that have been
// admitted, who are reset.
func (l *door[C]) strangersLocked() (pipes []pipe.Pipe) {
	for _, at := range l.backlog.Greeting() {
		if at.Stage() != sock.Admitted {
			pipes = append(pipes, at.Client.base().pipe)
		}
	}
	l.cond.Broadcast()
	return pipes
}

// greeted waits for the end of a greeting, which does not wait for anybody, and reports whether the
// client has been told that it is connected.
func (l *door[C]) greeted(at *sock.Place[C]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at.Stage() == sock.Admitted {
		l.cond.Wait()
	}
	return at.Stage() == sock.Established
}

// bequeath gives the connection of a new client what it has of its listener. Its hello will say so.
func (l *door[C]) bequeath(c *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.pass = l.pass
	c.in.box.TellApart(l.pass)
}

// Taken has nothing to see: a listener's name does not change.
func (l *door[C]) Taken() {}
