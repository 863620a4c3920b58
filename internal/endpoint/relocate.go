package endpoint

import (
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about a listener that moves to another process (P8). Its clients, those that nobody has accepted, move with it: their
// peers are told, as those of any end. Those that have not said hello notice nothing.

// relocation is what a listener knows of its move. It is guarded by Listener.mu.
type relocation struct {
	paused  bool          // it is being moved: nobody is accepted
	started bool          // false: it has moved here, and its former owner has not been told
	nudged  bool          // the mover has to look around
	shelved []pipe.Pipe   // of clients that have not said hello, for the new owner to greet
	handles []uintptr     // of the source that has been suspended
	state   []byte        // … and its state
	ran     chan struct{} // closed when run has ended
	handing int           // clients that have been taken, and belong to nobody yet
}

// handed notes that a client that was taken belongs to somebody.
func (l *Listener) handed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handing--
	l.cond.Broadcast()
}

// takeAll takes all clients of a listener that is being moved, once those that were taken before belong to somebody.
func (l *Listener) takeAll() (clients []*Conn) {
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

func (l *Listener) receives(uint64) bool { return false }

func (l *Listener) nudge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nudged = true
	l.cond.Broadcast()
}

func (l *Listener) descriptor() (uintptr, error) { return l.handles[0], nil }

// begin suspends the source, and begins to move the clients.
func (l *Listener) begin(d *departure) error {
	if err := l.pause(d); err != nil {
		return err
	}
	var err error
	if l.handles, l.state, err = l.source.Suspend(); err != nil {
		if _, closed := l.unpause(); closed {
			l.depose()
		}
		return err
	}
	l.shelveSilent() // run may wait for one of them to speak
	<-l.ran
	for _, at := range l.settled() {
		if err := d.begin(at.Client); err != nil {
			l.stay()
			return err
		}
	}
	return nil
}

// pause makes l accept nobody.
func (l *Listener) pause(d *departure) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := d.watch(&l.cond, &l.nudged, func() bool { return l.started || l.closed })
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
func (l *Listener) unpause() (silent []pipe.Pipe, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	silent, l.shelved = l.shelved, nil
	l.paused = false
	l.cond.Broadcast()
	return silent, l.closed
}

// shelveSilent makes clients go along as they are that have not said hello. Of those that come now,
// greets does so.
func (l *Listener) shelveSilent() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.backlog.Greeting() {
		if at.Stage() == sock.Quiet {
			at.Client.pipe.Interrupt()
		}
	}
}

// settled waits until all greetings are over, and returns the clients that move. What a client has said is answered here; that waits for
// nobody.
func (l *Listener) settled() []*place {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.backlog.Greeting()) > 0 {
		l.cond.Wait()
	}
	return slices.Clone(l.backlog.Queue())
}

// shelve keeps the pipe of a client that has said nothing.
func (l *Listener) shelve(at *place) {
	p := at.Client.pipe
	p.Resume()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.Forget(at)
	l.shelved = append(l.shelved, p)
	l.cond.Broadcast()
}

func (l *Listener) ready(d *departure) error {
	for _, at := range l.backlog.Queue() {
		if err := at.Client.ready(d); err != nil {
			return err
		}
	}
	return nil
}

func (l *Listener) pack(p *parcel) error {
	s := sock.ListenerState{
		Type: l.cfg.Type, Backlog: uint32(l.backlog.Limit()), Local: l.cfg.Local,
		Handles: uint8(len(l.handles) - 1), Source: l.state, Clients: uint32(len(l.backlog.Queue()) + len(l.shelved)),
	}
	p.states = wire.AppendListener(p.states, &s)
	for _, v := range l.handles[1:] {
		p.addEnd(v, descriptor.UnixListener)
	}
	for _, at := range l.backlog.Queue() {
		if err := p.addConn(at.Client); err != nil {
			return err
		}
	}
	for _, silent := range l.shelved {
		v, err := descriptorOf(silent)
		if err != nil {
			return err
		}
		p.addEnd(v, descriptor.Unix)
		p.states = append(p.states, byte(wire.PipeTag))
	}
	return nil
}

// addConn adds a connection that belongs to another end.
func (p *parcel) addConn(c *Conn) error {
	v, err := c.descriptor()
	if err != nil {
		return err
	}
	p.addEnd(v, descriptor.Unix)
	return c.pack(p)
}

// stay makes l what it was. Its clients are ends of the departure themselves.
func (l *Listener) stay() {
	l.source.Resume()
	silent, closed := l.unpause()
	l.resume(silent)
	if closed {
		l.depose()
	}
}

// moved makes l behave as closed, in the order of Close: the socket file goes, unless the user has
// asked for it to stay. Its clients are ends of the departure themselves.
func (l *Listener) moved() {
	l.source.Unlink() // nobody is there to be told
	l.mu.Lock()
	l.closed, l.paused = true, false
	l.deadline.stop()
	l.backlog.Clear()
	l.cond.Broadcast()
	l.mu.Unlock()
	l.source.Close()
}

func (l *Listener) release() {
	l.mu.Lock()
	shelved := l.shelved
	l.shelved = nil
	l.mu.Unlock()
	for _, p := range shelved {
		p.Close()
	}
}

// start makes l accept.
func (l *Listener) start() {
	l.mu.Lock()
	shelved, queue := l.shelved, l.backlog.Queue()
	l.shelved = nil
	l.mu.Unlock()
	for _, at := range queue {
		at.Client.start()
	}
	l.resume(shelved)
}

// resume makes l accept, and greets clients that have said nothing so far.
func (l *Listener) resume(silent []pipe.Pipe) {
	l.mu.Lock()
	l.started = true
	l.ran = make(chan struct{})
	l.cond.Broadcast()
	l.mu.Unlock()
	for _, p := range silent {
		go l.meet(p)
	}
	go l.run()
}

// listener makes a listener that has moved here, and does not accept yet. It owns v.
func (u *unpacker) listener(v uintptr, socket *PacketConn) (*Listener, error) {
	s, rest, err := wire.ParseListener(u.states)
	if err == nil {
		err = checkListener(&s, socket != nil)
	}
	if err != nil {
		u.close(v, descriptor.UnixListener)
		return nil, err
	}
	u.states = rest
	handles, err := u.handles(v, int(s.Handles))
	if err != nil {
		return nil, err
	}
	source, err := u.c.world.System.OpenSource(handles, s.Source)
	if err != nil {
		return nil, err
	}
	source.SetUnlinkOnClose(false) // as one that the kernel has handed over
	cfg := Config{Type: s.Type, Local: s.Local, Table: u.c.table, World: u.c.world, socket: socket}
	l := newListener(source, cfg, int(s.Backlog))
	for range s.Clients {
		if err := u.client(l); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// handles returns v and the next n descriptors.
func (u *unpacker) handles(v uintptr, n int) ([]uintptr, error) {
	handles := []uintptr{v}
	block, err := u.block(n)
	for i := 0; err == nil && i < n; i++ {
		var more uintptr
		if more, block, err = u.handle(block); err == nil {
			handles = append(handles, more)
		}
	}
	if err != nil {
		for _, v := range handles {
			u.close(v, descriptor.UnixListener)
		}
		return nil, err
	}
	return handles, nil
}

// client makes the next client of l.
func (u *unpacker) client(l *Listener) error {
	block, err := u.block(1)
	if err != nil {
		return err
	}
	v, _, err := u.handle(block)
	if err != nil {
		return err
	}
	tag, rest, err := wire.ParseTag(u.states)
	u.states = rest
	switch {
	case err == nil && tag == wire.PipeTag:
		var p pipe.Pipe
		if p, err = u.c.world.System.OpenPipe(v, true); err == nil {
			l.shelved = append(l.shelved, p)
		}
		return err
	case err == nil && tag == wire.ConnTag && l.cfg.socket != nil: // such clients are links of the socket by now
		err = badLuggage("a link that nobody has taken in")
	case err == nil && tag == wire.ConnTag:
		var c *Conn
		if c, err = u.conn(v, l.cfg.socket); err == nil {
			l.backlog.Restore(c)
			if c.typ != l.cfg.Type {
				err = badLuggage("a client of type %d of a listener of type %d", c.typ, l.cfg.Type)
			}
		}
		return err
	}
	u.close(v, descriptor.Unix)
	if err == nil {
		err = badLuggage("state %d of a client", tag)
	}
	return err
}
