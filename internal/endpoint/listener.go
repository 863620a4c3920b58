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
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// helloTimeout bounds the wait for a client's hello.
const helloTimeout = 10 * time.Second

// A Listener answers hellos as they come, so that a connection is complete before it is accepted, as in the kernel.
type Listener struct {
	source pipe.Source
	cfg    Config
	addr   *net.UnixAddr

	mu       locks.Mutex[locks.Listener]
	cond     sync.Cond
	deadline deadline
	backlog  sock.Backlog[*Conn]
	err      error // of the source, for one Accept
	closed   bool
	pass     bool // SO_PASSCRED, which connections get from it
	relocation
}

// A place is what a listener knows of a client.
type place = sock.Place[*Conn]

// Listen returns a listener for the pipes of source, which it owns. A backlog below 1 means the maximum.
func Listen(source pipe.Source, cfg Config, backlog int) *Listener {
	l := newListener(source, cfg, backlog)
	l.start()
	return l
}

// newListener returns a listener that does not accept yet.
func newListener(source pipe.Source, cfg Config, backlog int) *Listener {
	l := &Listener{
		source:  source,
		cfg:     cfg,
		addr:    address(cfg.Type, cfg.Local),
		backlog: sock.NewBacklog[*Conn](backlog),
	}
	l.cond.L = &l.mu
	l.deadline.mu, l.deadline.wake = &l.mu, l.cond.Broadcast
	return l
}

// run takes in pipes until the source is closed.
func (l *Listener) run() {
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
func (l *Listener) meet(p pipe.Pipe) {
	at := &place{Client: newConn(p, l.cfg, true, 0)}
	if !l.greets(at) {
		p.Close()
		return
	}
	go l.greet(at)
}

// report hands an error of the source to one Accept, and waits. It reports whether the listener was closed meanwhile.
func (l *Listener) report(err error, wait time.Duration) (closed bool) {
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
func (l *Listener) greets(at *place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && !l.backlog.Greet(at) {
		l.cond.Wait()
	}
	if !l.closed && l.paused {
		at.Client.pipe.Interrupt() // it goes along as it is
	}
	return !l.closed
}

// heard notes that a client has said hello, and is answered here.
func (l *Listener) heard(at *place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.Hear(at)
	if l.paused {
		at.Client.pipe.Resume()
	}
}

// greet answers the hello of a new connection and queues it. Whoever says nothing is sent away after a while.
func (l *Listener) greet(at *place) {
	c, p := at.Client, at.Client.pipe
	c.in.embryo = true
	l.bequeath(c)
	impatience := time.AfterFunc(helloTimeout, func() { p.Close() })
	err := c.welcome(l.cfg, func() { l.heard(at) }, func() (int, wire.Status) { return l.admit(at) })
	if errors.Is(err, os.ErrDeadlineExceeded) && impatience.Stop() {
		l.shelve(at)
		return
	}
	if !impatience.Stop() || err != nil {
		l.forget(at)
		p.Close()
		return
	}
	if at.Crowded() {
		c.in.turn.resting = true // until somebody here waits for what the pipe brings, or accepts it
	}
	go c.run()
	l.establish(at)
}

// admit gives a client its place in the queue, and says how many descriptors are taken from it
// before it is accepted. Clients are accepted in the order in which they are admitted.
func (l *Listener) admit(at *place) (rightsWindow int, s wire.Status) {
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
func (l *Listener) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.backlog.Queue())
}

// forget ends a greeting that came to nothing.
func (l *Listener) forget(at *place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.Forget(at)
	l.cond.Broadcast()
}

// establish ends a greeting.
func (l *Listener) establish(at *place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.Establish(at)
	l.cond.Broadcast()
}

// Accept waits for the next connection.
func (l *Listener) Accept() (transport.Conn, error) {
	c, err := l.take()
	if err != nil {
		return nil, err
	}
	c.accepted()
	l.handed()
	return c, nil
}

func (l *Listener) take() (*Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, net.ErrClosed
		case l.deadline.expired:
			return nil, os.ErrDeadlineExceeded
		case l.paused || !l.started: // what comes of it?
			l.cond.Wait()
			continue
		}
		if c, ok := l.backlog.Next(); ok {
			l.handing++
			return c, nil
		}
		if err := l.err; err != nil {
			l.err = nil
			return nil, err
		}
		l.cond.Wait()
	}
}

// accepted lets the peer send as many descriptors as to any connection.
func (c *Conn) accepted() {
	c.catchUp() // what was sent before
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.embryo = false
	c.in.box.Grant(sock.RightsWindow)
	c.creditWhatIsDueLocked()
}

// SetDeadline sets when Accept gives up.
func (l *Listener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.deadline.set(t)
	return nil
}

// SetUnlinkOnClose says whether Close removes the socket file.
func (l *Listener) SetUnlinkOnClose(unlink bool) { l.source.SetUnlinkOnClose(unlink) }

// Transport is the pipe transport.
func (l *Listener) Transport() transport.ID { return transport.Pipe }

// Addr returns the name that the listener is bound to.
func (l *Listener) Addr() *net.UnixAddr { return l.addr }

// SyscallConn gives access to the socket that listens, where there is one.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	if s, ok := l.source.(interface{ SyscallConn() syscall.RawConn }); ok {
		return s.SyscallConn(), nil
	}
	return nil, errors.ErrUnsupported // on Windows many handles listen
}

// Close stops listening. Connections that nobody has accepted are reset (row 199). As in package
// net the socket file goes first, and until then l is what it was: whoever learns by whatever call
// that l is closed, a second Close included, does not find the file any more.
func (l *Listener) Close() error {
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
func (l *Listener) markClosed() (first, moving bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, moving = !l.closed, l.paused
	l.closed = true
	l.deadline.stop()
	l.cond.Broadcast()
	return first, moving
}

// depose closes a listener that has been marked as closed.
func (l *Listener) depose() error {
	l.mu.Lock()
	started, admitted := l.started, l.backlog.Clear()
	var strangers []pipe.Pipe
	if started {
		strangers = l.strangersLocked()
	}
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
			at.Client.close(true)
		}
	}
	if !started {
		l.release()
	}
	return err
}

// strangersLocked returns the pipes of all who are being greeted but for those that have been
// admitted, who are reset.
func (l *Listener) strangersLocked() (pipes []pipe.Pipe) {
	for _, at := range l.backlog.Greeting() {
		if at.Stage() != sock.Admitted {
			pipes = append(pipes, at.Client.pipe)
		}
	}
	l.cond.Broadcast()
	return pipes
}

// greeted waits for the end of a greeting, which does not wait for anybody, and reports whether the client has been told that
// it is connected.
func (l *Listener) greeted(at *place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at.Stage() == sock.Admitted {
		l.cond.Wait()
	}
	return at.Stage() == sock.Established
}
