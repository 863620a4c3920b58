package endpoint

import (
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// This file is about a listener that moves to another process (P8). Its clients, those that nobody
// has accepted, move with it: their peers are told, as those of any end. Those that have not said
// hello notice nothing.

// doorMove is what a door knows of its move. It is guarded by door.mu.
type doorMove struct {
	paused  bool          // it is being moved: nobody is accepted
	started bool          // false: it has moved here, and its former owner has not been told
	nudged  bool          // the mover has to look around
	silent  []pipe.Pipe   // of clients that have not said hello, for the new owner to greet
	handles []uintptr     // of the source that has been suspended
	state   []byte        // … and its state
	ran     chan struct{} // closed when run has ended
	handing int           // clients that have been taken, and belong to nobody yet
}

// handed notes that a client that was taken belongs to somebody.
func (l *door[C]) handed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handing--
	l.cond.Broadcast()
}

// takeAll takes all clients of a listener that is being moved, once those that were taken before
// belong to somebody.
func (l *door[C]) takeAll() (clients []C) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.handing > 0 {
		l.cond.Wait()
	}
	for _, at := range l.backlog.Clear() {
		clients = append(clients, at.Client)
	}
	return clients
}

func (l *door[C]) Receives(uint64) bool { return false }

func (l *door[C]) Nudge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nudged = true
	l.cond.Broadcast()
}

// Kind is that of a listener.
func (l *door[C]) Kind() descriptor.Kind { return descriptor.UnixListener }

// Descriptor returns the first one of the source, which has been suspended.
func (l *door[C]) Descriptor() (uintptr, error) { return l.handles[0], nil }

// Begin suspends the source, and begins to move the clients.
func (l *door[C]) Begin(m *move.Outgoing) error {
	if err := l.pause(m); err != nil {
		return err
	}
	var err error
	if l.handles, l.state, err = l.source.Suspend(); err != nil {
		if _, closed := l.unpause(); closed {
			l.depose()
		}
		return err
	}
	l.wakeSilent() // run may wait for one of them to speak
	<-l.ran
	<-l.guests.ran
	if err := l.lodge(); err != nil {
		l.Stay()
		return err
	}
	for _, at := range l.allGreeted() {
		if err := m.Begin(at.Client); err != nil {
			l.Stay()
			return err
		}
	}
	return nil
}

// pause makes l accept nobody.
func (l *door[C]) pause(m *move.Outgoing) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := watchLocked(m, &l.cond, &l.nudged, func() bool { return l.started || l.closed })
	switch {
	case err != nil:
		return err
	case l.closed || l.paused:
		return syscall.EBADF
	}
	l.paused = true
	return nil
}

// unpause ends the move. It returns the clients that have said nothing, and reports whether Close
// was called meanwhile.
func (l *door[C]) unpause() (silent []pipe.Pipe, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	silent, l.silent = l.silent, nil
	l.paused = false
	l.cond.Broadcast()
	return silent, l.closed
}

// wakeSilent makes clients go along as they are that have not said hello. Of those that come now,
// greets does so.
func (l *door[C]) wakeSilent() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.backlog.Greeting() {
		if at.Stage() == sock.Quiet {
			at.Client.base().pipe.Interrupt()
		}
	}
}

// allGreeted waits until all greetings are over, and returns the clients that move. What a client
// has said is answered here; that waits for nobody.
func (l *door[C]) allGreeted() []*sock.Place[C] {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.backlog.Greeting()) > 0 {
		l.cond.Wait()
	}
	return slices.Clone(l.backlog.Queue())
}

// keepSilent keeps the pipe of a client that has said nothing.
func (l *door[C]) keepSilent(at *sock.Place[C]) {
	p := at.Client.base().pipe
	p.Resume()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.Forget(at)
	l.silent = append(l.silent, p)
	l.cond.Broadcast()
}

func (l *door[C]) Ready(m *move.Outgoing) error {
	for _, at := range l.backlog.Queue() {
		if err := at.Client.Ready(m); err != nil {
			return err
		}
	}
	return nil
}

func (l *door[C]) Pack(m *move.Outgoing) error {
	s := sock.ListenerState{
		Type: l.cfg.Type, Backlog: uint32(l.backlog.Limit()), Local: sayable(l.cfg.Local),
		Handles: uint8(len(l.handles) - 1), Source: l.state, Clients: uint32(len(l.backlog.Queue()) + len(l.silent)),
	}
	m.AddListener(&s, l.handles[1:])
	for _, at := range l.backlog.Queue() {
		if err := m.AddPart(at.Client); err != nil {
			return err
		}
	}
	for _, p := range l.silent {
		v, err := descriptorOf(p)
		if err != nil {
			return err
		}
		m.AddSilent(v)
	}
	return nil
}

// Stay makes l what it was. Its clients are ends of the move themselves.
func (l *door[C]) Stay() {
	l.source.Resume()
	silent, closed := l.unpause()
	l.resume(silent)
	if closed {
		l.depose()
	}
}

// Moved makes l behave as closed, in the order of Close: the socket file goes, unless the user has
// asked for it to stay. Its clients are ends of the move themselves.
func (l *door[C]) Moved() {
	l.source.Unlink() // nobody is there to be told
	l.mu.Lock()
	l.closed, l.paused = true, false
	l.deadline.stopLocked()
	l.backlog.Clear()
	l.dismissLocked()
	l.cond.Broadcast()
	l.mu.Unlock()
	l.source.Close()
}

func (l *door[C]) Release() {
	l.mu.Lock()
	silent := l.silent
	l.silent = nil
	l.mu.Unlock()
	for _, p := range silent {
		p.Close()
	}
}

// Start makes l accept.
func (l *door[C]) Start() {
	l.mu.Lock()
	silent, queue := l.silent, l.backlog.Queue()
	l.silent = nil
	l.mu.Unlock()
	for _, at := range queue {
		at.Client.Start()
	}
	l.resume(silent)
}

// resume makes l accept, and greets clients that have said nothing so far.
func (l *door[C]) resume(silent []pipe.Pipe) {
	l.mu.Lock()
	l.started = true
	l.ran = make(chan struct{})
	l.receiveLocked()
	l.cond.Broadcast()
	l.mu.Unlock()
	for _, p := range silent {
		go l.meet(p)
	}
	go l.run()
}
