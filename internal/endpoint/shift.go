package endpoint

import (
	"errors"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about an end that moves to another process (P8), as its connection sees it:
//
//	this end                            the other end
//	Move                         ─▶     sends no more descriptors here, and acknowledges
//	      ◀─         acknowledgement    that there are none under way
//	stops reading; its state goes to the new owner by another connection (parcel.go, unpack.go)
//	hello (moved)                ─▶     finds the new owner's process, and opens it
//	      ◀─                   hello
//	ready                        ◀▶     ready; descriptors may travel again
//
// What either side writes meanwhile, descriptors excepted, waits in the pipe for whoever will read it. If the end stays after all, its
// owner says hello as the new one would. Both ends can move at the same time: each hello of an end that moved is answered, and the last
// one counts.

// shift is what a connection's sending half knows of moves, of either end. It is guarded by outbox.mu.
type shift struct {
	any    bool   // there has been a move: hellos and ready packets may come
	away   bool   // the other end is moving, and its new owner has not said hello
	held   bool   // … over this very connection: nothing but acknowledgements is said until it has been let go
	serial uint64 // of the peer's Move, to be acknowledged as soon as nothing is loaded; 0: there is none
	asked  bool   // we have said hello, and may get an answer
	loaded bool   // a message's descriptors have been duplicated for the peer, and it has not been written
	begun  bool   // a message has been written in part

	paused    bool // this end is being moved: no message begins
	wasReady  bool // … as ready was before
	announced bool // … and the peer is to be told, or has been
	detached  bool // … and nothing is written to the pipe any more
	nudged    bool // the mover has to look around

	itself bool // … over itself

	hosted  []*departure // over this connection
	waiting []mover      // ends that have come over it, and are to be started when the other end is let go
}

// stops reports whether no packet of the user's can be written now.
func (s *shift) stops(begun bool) bool { return s.held || s.detached || s.paused && !begun }

// errShifted: the peer's end is moving, so descriptors have to be duplicated for another process.
var errShifted = errors.New("the peer is moving")

// peerMoves takes in that the other end is about to move, or has been let go.
func (c *Conn) peerMoves(p *wire.Packet) error {
	if p.Flags&wire.Gone != 0 {
		return c.peerLetGo()
	}
	if p.Serial == 0 {
		return errUnexpected
	}
	if err := c.pipe.Expect(); err != nil {
		return err
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	s := &c.out.shift
	if s.away {
		return errUnexpected
	}
	s.any, s.away, s.held, s.serial = true, true, p.Flags&wire.Itself != 0, p.Serial
	c.out.ready = false
	c.letGo()
	c.wakeWrites() // whoever has loaded a message takes it back
	return nil
}

// letGo acknowledges the peer's Move once nothing is on its way to the process that has the other end now. The caller holds out.mu.
func (c *Conn) letGo() {
	if s := &c.out.shift; s.serial != 0 && !s.loaded {
		c.out.owed.ack = s.serial
		c.out.owed.note(debtAck)
		s.serial = 0
		c.pay()
	}
}

// rehello takes in a hello in the middle of a connection: of the process that the other end has moved to, or the answer to ours.
func (c *Conn) rehello(p *wire.Packet) error {
	moved := p.Flags&wire.Moved != 0
	h, err := wire.ParseHello(p.Payload)
	switch {
	case err != nil:
		return err
	case p.Flags&wire.FromServer != 0 == c.server:
		return errRole
	case h.SocketType != uint8(c.typ) || h.Socket != c.peerID || !c.expects(moved):
		return errUnexpected
	}
	who, can, err := c.pipe.Identify(h.Proof)
	if err != nil {
		return err
	}
	if err := c.pipe.Answer(); err != nil {
		return err
	}
	proof, err := c.pipe.Proof()
	if err != nil {
		return err
	}
	if err := c.reacquaint(who, h.Window, moved); err != nil {
		return err
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if err := c.out.box.Raise(h.Rights); err != nil {
		return err
	}
	c.out.peerPass = p.Flags&wire.PassCredentials != 0
	c.out.can = can
	s := &c.out.shift
	s.any = true
	switch {
	case moved:
		s.away, s.held, c.out.agreed = false, false, false // held: it has stayed after all
		if !s.paused {                                     // else whoever gets this end says hello
			c.owe(0, proof)
		}
	default:
		s.asked = false
	}
	if !s.paused && !s.away {
		c.out.owed.able = can
		c.out.owed.note(debtReady)
	}
	c.pay()
	c.wakeWrites()
	return nil
}

// expects reports whether such a hello can come now.
func (c *Conn) expects(moved bool) bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	s := &c.out.shift
	return moved && s.away && len(s.waiting) == 0 || !moved && s.asked
}

// reacquaint notes who writes from now on, or who has been writing.
func (c *Conn) reacquaint(who cred.Credentials, window uint32, moved bool) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	switch n := len(c.in.writers); {
	case moved && n == maxWriters:
		return errUnexpected
	case moved && c.in.writers[n-1] != who:
		c.in.writers = append(c.in.writers, who)
	case c.in.claimed:
		c.in.writers[n-1] = who
	}
	c.in.claimed = false
	return c.in.box.SetWindow(window)
}

// maxWriters bounds how often an end moves between processes while its connection lasts.
const maxWriters = 1 << 16

// owe makes our hello the next thing that is said. It says all that an earlier one would have. The caller holds out.mu.
func (c *Conn) owe(flags uint8, proof []byte) {
	o := &c.out.owed
	o.hello |= flags
	o.proof = proof
	o.note(debtHello)
}

// rehelloPacket is the hello that is owed. The caller holds out.mu.
func (c *Conn) rehelloPacket() *wire.Packet {
	flags := c.out.owed.hello
	if c.server {
		flags |= wire.FromServer
	}
	if c.out.pass {
		flags |= wire.PassCredentials
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.helloPacket(wire.HelloBody{Proof: c.out.owed.proof}, flags, "")
}

// A departure is an attempt to move ends over a connection.
type departure struct {
	carrier *Conn   // nil for one that a child process inherits
	ends    []mover // in the order in which they began to depart
	guests  []mover // to be nudged when the carrier may not be able to send any more; guarded by its outbox.mu
}

// A mover is an end that can move. Its methods are called in this order: begin, ready, pack; then either stay or, once it has
// arrived, moved; and at last release.
type mover interface {
	// begin makes it do nothing new, and tells whoever has to know. EBADF: it is closed, or being moved already.
	begin(d *departure) error
	// ready waits until nothing is under way. The error is why the departure has to end.
	ready(d *departure) error
	// pack says what it is made of.
	pack(p *parcel) error
	// stay undoes all this.
	stay()
	// moved makes it behave as closed.
	moved()
	// release lets go of what this process has of it.
	release()
	// nudge makes it look whether its carrier can still send.
	nudge()
	// start makes it live in the process that it has come to.
	start()
	// receives reports whether it is the socket with this number.
	receives(id uint64) bool
	descriptor.End
}

var errCycle = errors.New("an end would wait in its own queue")

// begin begins to move e.
func (d *departure) begin(e mover) error {
	if d.carrier != nil && e.receives(d.carrier.peerID) {
		return errCycle
	}
	d.watches(e)
	if err := e.begin(d); err != nil {
		return err
	}
	d.ends = append(d.ends, e)
	return nil
}

// watches makes e look around from now on when the carrier may not be able to send any more.
func (d *departure) watches(e mover) {
	if d.carrier == nil {
		return
	}
	d.carrier.out.mu.Lock()
	defer d.carrier.out.mu.Unlock()
	d.guests = append(d.guests, e)
}

// stay gives up.
func (d *departure) stay() {
	for _, e := range d.ends {
		e.stay()
	}
}

// stopped says why the carrier's send has to end.
func (d *departure) stopped() error {
	c := d.carrier
	if c == nil {
		return nil
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.stopped()
}

// nested gets the ends ready that wait in the queue of c.
func (d *departure) nested(c *Conn) error {
	c.in.mu.Lock()
	_, segments := c.in.box.Look()
	c.in.mu.Unlock()
	for i := range segments {
		for _, e := range ends(&segments[i]) {
			if err := d.begin(e); err != nil {
				return err
			}
			if err := e.ready(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// ends are those among the descriptors of s.
func ends(s *sock.Segment) (movers []mover) {
	if s.Rights == nil {
		return nil
	}
	for _, e := range s.Rights.(*descriptor.Set).Ends() {
		movers = append(movers, e.(mover))
	}
	return movers
}

// mate returns the other end of c, if that moves, too, and does not read any more. It never sends anything else.
func (d *departure) mate(c *Conn) *Conn {
	for _, e := range d.ends {
		m, ok := e.(*Conn)
		if ok && m != c && m.id == c.peerID && m.peerID == c.id && m.server != c.server && m.hasEnded() {
			return m
		}
	}
	return nil
}

// hasEnded reports whether c is not read any more.
func (c *Conn) hasEnded() bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.turn.over
}

// over reports whether c is moved over itself.
func (d *departure) over(c *Conn) bool { return d.carrier == c }

func (c *Conn) receives(id uint64) bool { return c.id == id }

func (c *Conn) begin(d *departure) error {
	c.in.mu.Lock()
	if c.in.closed || c.in.paused || !c.in.started {
		c.in.mu.Unlock()
		return syscall.EBADF
	}
	c.in.paused = true
	c.wakeReads()
	c.in.mu.Unlock()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	s := &c.out.shift
	s.any, s.paused, s.nudged, s.announced = true, true, true, false
	s.wasReady, s.itself = c.out.ready, d.over(c)
	if !s.itself {
		c.out.ready = false // what is loaded is taken back
	}
	c.wakeWrites()
	return nil
}

// nudge makes the mover of c look whether its carrier can still send.
func (c *Conn) nudge() {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.shift.nudged = true
	c.wakeWrites()
}

// watch waits for something about c, as long as the carrier can send. done is called with out.mu held, as is watch.
func (c *Conn) watch(d *departure, done func() bool) error {
	w := wait{c: c}
	defer w.end()
	for !done() {
		if c.out.shift.nudged {
			c.out.shift.nudged = false
			c.out.mu.Unlock()
			err := d.stopped()
			c.out.mu.Lock()
			if err != nil {
				return err
			}
			continue
		}
		w.more()
	}
	return nil
}

// quiet reports whether nothing of this side's is half done. The caller holds out.mu.
func (o *outbox) quiet() bool {
	return o.severed || !o.shift.loaded && !o.shift.begun && !o.full
}

func (c *Conn) ready(d *departure) error {
	if err := c.announce(d); err != nil {
		return err
	}
	if !d.over(c) {
		c.drain()
	}
	if err := d.nested(c); err != nil {
		return err
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	err := c.watch(d, func() bool { // what reading it has made us owe
		c.pay()
		return c.out.quiet() && (c.out.severed || c.out.owed.debts == 0 || c.out.shift.held)
	})
	if err != nil || d.over(c) {
		return err
	}
	c.out.shift.detached = true
	if c.out.severed {
		return nil
	}
	return c.flushed(d)
}

// flushed waits until the pipe has room: what it has taken and not made room for is lost with the process that wrote it (Windows). The
// caller holds out.mu.
func (c *Conn) flushed(d *departure) error {
	done := false
	go func() {
		_ = c.pipe.WaitWritable() // after an error there is nobody who could miss anything
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		done = true
		c.wakeWrites()
	}()
	return c.watch(d, func() bool { return done })
}

// announce tells the peer, and waits until it has taken note of it.
func (c *Conn) announce(d *departure) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if err := c.watch(d, c.out.quiet); err != nil {
		return err
	}
	switch mate := d.mate(c); {
	case c.out.box.Gone() || c.out.severed:
		return nil // nobody is left to be told
	case mate != nil: // nothing is under way from there, and nobody listens
		c.out.shift.announced = true
		c.out.mu.Unlock()
		mate.out.mu.Lock()
		mate.out.shift.away = true
		mate.out.mu.Unlock()
		c.out.mu.Lock()
		return nil
	}
	t := new(sock.Transfer)
	c.out.owed.moveDone, c.out.owed.move = t, 0
	if d.over(c) {
		c.out.owed.move = wire.Itself
	}
	c.out.owed.note(debtMove)
	c.out.shift.announced = true
	c.pay()
	return c.watch(d, func() bool { return t.Fate != sock.Written || c.out.severed })
}

// stay makes c what it was. The peer, if it has been told, gets another hello.
func (c *Conn) stay() {
	proof, err := c.pipe.Proof()
	c.out.mu.Lock()
	s := &c.out.shift
	s.paused, s.detached = false, false
	switch {
	case !s.announced || c.out.owed.has(debtMove): // it was never told
		c.out.owed.strike(debtMove)
		c.out.ready = s.wasReady && !s.away
	case err == nil: // else the pipe is closed
		s.asked = true
		c.owe(wire.Moved, proof)
	}
	c.pay()
	c.wakeWrites()
	c.out.mu.Unlock()
	if closed := c.resume(); closed {
		c.depose(false)
	}
}

// resume starts the reader again that drain has ended. It reports whether Close was called meanwhile, or the end has been taken for moved.
func (c *Conn) resume() (closed bool) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.paused = false
	if t := &c.in.turn; t.drained {
		t.over, t.draining, t.drained, t.kicked, t.resting = false, false, false, false, false
		c.pipe.Resume()
		c.done = make(chan struct{})
		go c.run()
	}
	c.in.cond.Broadcast()
	return c.in.closed
}

// moved closes c without a goodbye.
func (c *Conn) moved() {
	c.markClosed()
	c.in.mu.Lock()
	c.in.box.Close()
	c.in.farewell = true
	c.in.paused = false
	c.in.cond.Broadcast()
	c.in.mu.Unlock()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.shift.detached = true
	c.wakeWrites()
}

func (c *Conn) release() {
	c.out.mu.Lock()
	itself := c.out.shift.itself
	c.out.mu.Unlock()
	if itself {
		c.drain()
		c.out.mu.Lock()
		c.out.shift.detached = false
		c.out.owed.debts, c.out.owed.move = 0, wire.Gone
		c.out.owed.note(debtMove)
		c.pay()
		c.out.mu.Unlock()
	}
	c.dispose() // fails if the pipe broke before
}

// start makes an end live that has moved here, with those in its queue. Before that, Close closes its pipe and nothing else.
func (c *Conn) start() {
	c.in.mu.Lock()
	closed := c.in.closed
	c.in.started = c.in.started || !closed
	_, segments := c.in.box.Look()
	c.in.mu.Unlock()
	if closed {
		return
	}
	for i := range segments {
		startAll(ends(&segments[i]))
	}
	c.out.mu.Lock()
	c.out.shift.detached = false
	c.pay()
	c.wakeWrites()
	c.out.mu.Unlock()
	go c.run()
}

func startAll(ends []mover) {
	for _, e := range ends {
		e.start()
	}
}

// settle starts ends that have come over c, whose message has been acknowledged. One that has come over itself waits until it has been
// let go: until then its former owner reads it.
func (c *Conn) settle(ends []mover) {
	if len(ends) == 0 {
		return
	}
	c.out.mu.Lock()
	if s := &c.out.shift; s.held {
		if len(s.waiting) == 0 {
			time.AfterFunc(patience, c.lookForOwner)
		}
		s.waiting = append(s.waiting, ends...)
		ends = nil
	}
	c.out.mu.Unlock()
	startAll(ends)
}

// lookForOwner starts the ends that wait for a process that has ended meanwhile. That nothing can be learnt about it does not mean that it
// has: two processes must never read one end.
func (c *Conn) lookForOwner() {
	c.out.mu.Lock()
	waiting, severed := len(c.out.shift.waiting) > 0, c.out.severed
	c.out.mu.Unlock()
	if !waiting {
		return
	}
	if _, err := c.pipe.Pull(noValue); err == syscall.ESRCH || severed {
		c.peerLetGo()
		return
	}
	time.AfterFunc(patience, c.lookForOwner)
}

// noValue is no descriptor of any process.
const noValue = 1<<31 - 4

// peerLetGo starts an end that has come over this connection, and is its other end.
func (c *Conn) peerLetGo() error {
	c.in.mu.Lock()
	arrived, rights := c.in.box.Arrived()
	c.in.mu.Unlock()
	c.out.mu.Lock()
	s := &c.out.shift
	ends := s.waiting
	if !s.held {
		ends = nil
	}
	s.held, s.waiting = false, nil
	c.pay()
	c.wakeWrites()
	c.out.mu.Unlock()
	for _, e := range ends {
		if mate, ok := e.(*Conn); ok && mate.id == c.peerID {
			mate.out.mu.Lock()
			mate.out.box.Follow(arrived, rights)
			mate.out.mu.Unlock()
		}
		e.start()
	}
	return nil
}
