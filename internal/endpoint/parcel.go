package endpoint

import (
	"errors"
	"slices"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A parcel is what the ends take along that move with a message: their states, and the descriptors that these speak of (see wire/luggage.go).
// It satisfies sock.Parked, for its message's own descriptors, too. The methods of a nil parcel do nothing.
type parcel struct {
	departure
	message *rights.Outgoing   // with the ends' own descriptors
	direct  []mover            // the ends among those, in their order
	places  []int              // … and which they are
	route   rights.Route       //
	states  []byte             //
	luggage []*rights.Outgoing // the descriptors that the states speak of, as many as fit into a packet in each
	written int                // so many of luggage
	decided chan struct{}      // closed when it has been decided where the ends are, after the message has been written
}

// addEnd adds an end to m. It has not been touched, if there is an error.
func (c *Conn) addEnd(m *message, route rights.Route, end any) error {
	e, ok := end.(mover)
	if !ok || c.world == nil {
		return descriptor.ErrNotSendable
	}
	if m.parcel == nil {
		m.parcel = &parcel{departure: departure{carrier: c}, message: m.Outgoing, route: route, decided: make(chan struct{})}
	}
	p := m.parcel
	p.direct, p.places = append(p.direct, e), append(p.places, m.Outgoing.Len())
	m.AddEnd(0, kindOf(e))
	return nil
}

func kindOf(e any) descriptor.Kind {
	if _, ok := e.(*Listener); ok {
		return descriptor.UnixListener
	}
	return descriptor.Unix
}

// pack gets the ends ready, and says what they are made of. An error means that they are what they were; but errCycle, that the
// message was sent into the queue of an end that goes with it: nobody can ever receive it, and as the kernel does, they are closed.
func (p *parcel) pack(m *rights.Outgoing) error {
	if p == nil {
		return nil
	}
	err := p.depart()
	for i := 0; err == nil && i < len(p.direct); i++ {
		var v uintptr
		if v, err = p.value(p.direct[i]); err == nil {
			m.SetEnd(p.places[i], v)
			err = p.direct[i].pack(p)
		}
	}
	if err == nil && (len(p.states) > sock.MaxLuggage-sock.MaxWindow || m.Len()+p.weight() > sock.MaxWeight) {
		err = syscall.ETOOMANYREFS
	}
	if err == nil {
		return nil
	}
	cycle := errors.Is(err, errCycle)
	if cycle { // before they stay: nobody reads out of their queues what goes with them
		for _, e := range p.direct {
			e.Close()
		}
	}
	if p.undo(); cycle {
		return errCycle
	}
	return err
}

// depart gets all ends ready to be packed.
func (p *parcel) depart() error {
	p.carrier.host(&p.departure)
	for i, e := range p.direct {
		if err := p.begin(e); err != nil {
			return p.blame(i, err)
		}
	}
	for i, e := range p.direct {
		if err := e.ready(&p.departure); err != nil {
			return p.blame(i, err)
		}
	}
	return nil
}

// blame says which descriptor of the message it was, unless the error is about the message.
func (p *parcel) blame(i int, err error) error {
	if errors.Is(err, syscall.EBADF) || errors.Is(err, descriptor.ErrNotSendable) {
		return &descriptor.IndexError{Index: p.places[i], Err: err}
	}
	return err
}

// host makes the ends of d, which are being moved over c, look around when it cannot send any more.
func (c *Conn) host(d *departure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.hosted = append(c.out.hosted, d)
}

// dismiss ends what host began.
func (c *Conn) dismiss(d *departure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.hosted = slices.DeleteFunc(c.out.hosted, func(h *departure) bool { return h == d })
}

// value returns the descriptor of e.
func (p *parcel) value(e mover) (v uintptr, err error) {
	of, ok := e.(interface{ descriptor() (uintptr, error) })
	if !ok {
		return 0, nil
	}
	return of.descriptor()
}

// descriptor returns that of the pipe, which nobody closes while c is being moved. One that broke is
// closed already, or will be.
func (c *Conn) descriptor() (uintptr, error) {
	c.mu.Lock()
	broke := c.in.failure != nil
	c.mu.Unlock()
	if broke {
		return 0, syscall.EBADF
	}
	return descriptorOf(c.pipe)
}

// descriptorOf returns the descriptor of a pipe that nobody else closes for the time being.
func descriptorOf(p pipe.Pipe) (v uintptr, err error) {
	if p.SyscallConn().Control(func(fd uintptr) { v = fd }) != nil {
		return 0, syscall.EBADF
	}
	return v, nil
}

// room returns the luggage that the next descriptor goes into.
func (p *parcel) room() *rights.Outgoing {
	if n := len(p.luggage); n > 0 && p.luggage[n-1].Len() < wire.MaxRecords {
		return p.luggage[n-1]
	}
	o := rights.NewOutgoing(p.carrier.table, p.carrier.pipe, p.route, 0)
	p.luggage = append(p.luggage, o)
	return o
}

// add adds a descriptor that a state speaks of.
func (p *parcel) add(v uintptr) error { return p.room().Add(v) }

// addEnd adds the descriptor of an end, whose state follows.
func (p *parcel) addEnd(v uintptr, k descriptor.Kind) { p.room().AddEnd(v, k) }

// weight bounds what the luggage takes of the credit for descriptors, however it is cut into packets.
func (p *parcel) weight() int {
	if p == nil {
		return 0
	}
	packets := len(p.luggage) + len(p.states)/(wire.MaxPayload-wire.MaxAncillary) + 1
	n := sock.Arrival{Bytes: len(p.states), Luggage: true}.Weight() + packets
	for _, o := range p.luggage {
		n += o.Len()
	}
	return n
}

// duplicate duplicates the descriptors that the states speak of.
func (p *parcel) duplicate() error {
	if p == nil {
		return nil
	}
	for _, o := range p.luggage {
		if err := o.Duplicate(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parcel) exported() bool {
	if p == nil {
		return false
	}
	for _, o := range p.luggage {
		if o.Exported() {
			return true
		}
	}
	return false
}

// undo takes everything back but the message's own descriptors.
func (p *parcel) undo() {
	if p == nil {
		return
	}
	for i, o := range p.luggage {
		if i < p.written && !p.carrier.returned() {
			o.Decline() // the peer closes it: see unclaimed
		} else {
			o.TakeBack()
		}
	}
	p.stay()
	p.carrier.dismiss(&p.departure)
}

// returned waits until it is known whose the luggage is that is in the pipe, without its message, and
// reports whether it is this side's: the peer has been closed, and looks at nothing any more.
func (c *Conn) returned() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := wait{c: c}
	defer w.endLocked()
	for c.out.severed && !c.out.parted && !c.out.final && !c.closed && !c.in.turn.over {
		w.moreLocked()
	}
	return c.out.parted
}

// Release is called when the peer has adopted the ends, or nobody will ever know.
func (p *parcel) Release() { p.decide((*rights.Outgoing).Release, p.finish) }

// TakeBack is called when the peer has not looked at the message, and never will.
func (p *parcel) TakeBack() { p.decide((*rights.Outgoing).TakeBack, p.stay) }

// Decline is called when the peer has discarded the message.
func (p *parcel) Decline() { p.decide((*rights.Outgoing).Decline, p.stay) }

// decide lets go of the copies, and then of the ends, on a goroutine of its own: the caller may be
// the carrier's reader, for which an end that goes over itself waits.
func (p *parcel) decide(let func(*rights.Outgoing), ends func()) {
	let(p.message)
	for _, o := range p.luggage {
		let(o)
	}
	go func() {
		defer close(p.decided)
		ends()
	}()
}

// finish ends what this process had of the ends, which have moved.
func (p *parcel) finish() {
	for _, e := range p.ends {
		e.moved()
	}
	for _, e := range p.ends {
		e.release()
	}
}

// arrived ends the sending of a message, unless it has not been written: then undo has.
func (m *message) arrived() {
	if m == nil || m.parcel == nil || m.transfer == nil {
		return
	}
	p := m.parcel
	p.carrier.dismiss(&p.departure)
	if m.fate() != sock.Unknown {
		<-p.decided
		return
	}
	for _, e := range p.ends { // what becomes of them is no business of this process
		e.moved()
	}
}

// fate returns what has become of a message that has been written.
func (m *message) fate() sock.Fate {
	m.parcel.carrier.mu.Lock()
	defer m.parcel.carrier.mu.Unlock()
	return m.transfer.Fate
}

// itself reports whether the carrier is one of the ends.
func (p *parcel) itself() bool {
	return p != nil && slices.Contains(p.ends, mover(p.carrier))
}

// sendLuggageLocked writes the packets in front of a message. The caller holds writing, too.
func (c *Conn) sendLuggageLocked(m *message) error {
	p := m.parcel
	left, sets := p.states, p.luggage
	for begun := false; len(left) > 0 || len(sets) > 0; begun = true {
		packet := wire.Packet{Type: wire.Data, Flags: wire.Luggage}
		if len(sets) > 0 {
			c.mu.Unlock()
			block, err := sets[0].Records()
			c.mu.Lock()
			if err != nil {
				return err
			}
			packet.Ancillary, packet.Records = block, sets[0].Len()
			sets = sets[1:]
		}
		n := min(len(left), wire.MaxPayload-len(packet.Ancillary))
		packet.Payload, left = left[:n], left[n:]
		if err := c.putLocked(&packet, m, begun); err != nil {
			return err
		}
		p.written = len(p.luggage) - len(sets)
	}
	return nil
}

// pack says what c is made of.
func (c *Conn) pack(p *parcel) error {
	s := c.state()
	p.states = wire.AppendConn(p.states, &s)
	for i := range s.Segments {
		if r := s.Segments[i].Rights; r != nil {
			if err := p.addSet(r.(*descriptor.Set)); err != nil {
				return err
			}
		}
	}
	return nil
}

// addSet adds the descriptors of a message in a queue, and then the states of the ends among them.
func (p *parcel) addSet(set *descriptor.Set) error {
	var movers []mover
	for i := range set.Len() {
		v, k, e := set.Borrow(i)
		if e == nil {
			if err := p.add(v); err != nil {
				return err
			}
			continue
		}
		m := e.(mover)
		v, err := p.value(m)
		if err != nil {
			return err
		}
		p.addEnd(v, k)
		movers = append(movers, m)
	}
	for _, m := range movers {
		if err := m.pack(p); err != nil {
			return err
		}
	}
	return nil
}

// state returns the state of c. Its segments are still the Inbox's.
func (c *Conn) state() (s sock.ConnState) {
	if c.link != nil {
		s.Link = c.link.mail.Look()
	}
	c.mu.Lock()
	defer c.unlock()
	if c.out.box.Apart() {
		c.in.box.Disconnect() // if part has not come to it
	}
	s.End = c.endStateLocked()
	s.Out, s.Shift = c.out.box.Look(), c.out.shift.Look()
	s.In, s.Segments = c.in.box.Look()
	return s
}

// endStateLocked returns what moves of c beside its halves.
func (c *Conn) endStateLocked() sock.EndState {
	s := sock.EndState{
		Type: c.typ, Server: c.server, ID: c.id, PeerID: c.peerID, Local: c.local.Name, Remote: c.remote.Name,
		Pass: c.pass, PeerPass: c.out.peerPass, Alone: c.out.severed, Embryo: c.in.embryo,
		Chosen: string(c.out.owed.name), PeerName: c.in.peerName, Naming: c.in.naming,
	}
	for _, w := range c.in.writers {
		s.Writers = append(s.Writers, sock.Writer{PID: uint64(w.PID), UID: uint64(w.UID), GID: uint64(w.GID), SID: w.SID})
	}
	return s
}

// baggage is luggage that has come, before its message.
type baggage struct {
	states  []byte
	records []byte
	n       int // of records
	weight  int
}

func (b *baggage) empty() bool { return b.n == 0 && len(b.states) == 0 }

// add takes in a packet.
func (b *baggage) add(p *wire.Packet) {
	b.states = append(b.states, p.Payload...)
	b.records = append(b.records, p.Ancillary...)
	b.n += p.Records
	b.weight += sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Luggage: true}.Weight()
}
