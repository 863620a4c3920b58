package move

import (
	"errors"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/sock"
)

// Outgoing is an attempt to move ends to another process: with a message, or, without a carrier, to
// a child process that inherits one. It satisfies sock.Parked, for the message's own descriptors,
// too. Of a nil one, which is that of a message without ends, Weight, Duplicate, Exported and Undo
// can be called.
type Outgoing struct {
	carrier Carrier // nil: a child process inherits the end
	ends    []End   // in the order in which they began to move

	message *rights.Outgoing // with the descriptors of the ends that are sent
	sent    []End            // those ends, in their order
	places  []int            // … and which descriptors they are

	packed
	decided chan struct{} // closed when it has been decided where the ends are, after the message has been written
}

// New returns a move over c of ends that go with a message. What goes in front of the message has
// its descriptors in what room returns, a packet's in each.
func New(c Carrier, message *rights.Outgoing, room func() *rights.Outgoing) *Outgoing {
	return &Outgoing{carrier: c, message: message, packed: packed{room: room}, decided: make(chan struct{})}
}

// Carrier is what the ends move over.
func (m *Outgoing) Carrier() Carrier { return m.carrier }

// Ends returns the ends that have begun to move, in this order.
func (m *Outgoing) Ends() []End { return m.ends }

// Add adds e to the message.
func (m *Outgoing) Add(e End) {
	m.sent, m.places = append(m.sent, e), append(m.places, m.message.Len())
	m.message.AddEnd(0, e.Kind())
}

// Pack gets the ends of the message ready, and packs what they are made of. An error means that
// they are what they were; but ErrCycle, that the message was sent into the queue of an end that
// goes with it: nobody can ever receive it, and as the kernel does, they are closed.
func (m *Outgoing) Pack() error {
	err := m.ready()
	for i := 0; err == nil && i < len(m.sent); i++ {
		var v uintptr
		if v, err = m.sent[i].Descriptor(); err == nil {
			m.message.SetEnd(m.places[i], v)
			err = m.sent[i].Pack(m)
		}
	}
	if err == nil && (len(m.states) > sock.MaxLuggage-sock.MaxWindow || m.message.Len()+m.Weight() > sock.MaxWeight) {
		err = syscall.ETOOMANYREFS
	}
	if err == nil {
		return nil
	}
	cycle := errors.Is(err, ErrCycle)
	if cycle { // before they stay: nobody reads out of their queues what goes with them
		for _, e := range m.sent {
			e.Close()
		}
	}
	if m.Undo(); cycle {
		return ErrCycle
	}
	return err
}

// ready gets all ends ready to be packed.
func (m *Outgoing) ready() error {
	for i, e := range m.sent {
		if err := m.Begin(e); err != nil {
			return m.blame(i, err)
		}
	}
	for i, e := range m.sent {
		if err := e.Ready(m); err != nil {
			return m.blame(i, err)
		}
	}
	return nil
}

// blame says which descriptor of the message it was, unless the error is about the message.
func (m *Outgoing) blame(i int, err error) error {
	if errors.Is(err, syscall.EBADF) || errors.Is(err, descriptor.ErrNotSendable) {
		return &descriptor.IndexError{Index: m.places[i], Err: err}
	}
	return err
}

// Begin begins to move e, which may be a part of another end, or wait in its queue.
func (m *Outgoing) Begin(e End) error {
	if m.carrier != nil {
		if e.Receives(m.carrier.PeerID()) {
			return ErrCycle
		}
		m.carrier.Watch(m, e)
	}
	if err := e.Begin(m); err != nil {
		return err
	}
	m.ends = append(m.ends, e)
	return nil
}

// Nest gets ends ready that wait in the queue of another one.
func (m *Outgoing) Nest(ends []End) error {
	for _, e := range ends {
		if err := m.Begin(e); err != nil {
			return err
		}
		if err := e.Ready(m); err != nil {
			return err
		}
	}
	return nil
}

// Stopped says why the carrier's send has to end. An end asks when it has been nudged.
func (m *Outgoing) Stopped() error {
	if m.carrier == nil {
		return nil
	}
	return m.carrier.Stopped()
}

// Stay gives up: the ends are what they were.
func (m *Outgoing) Stay() {
	for _, e := range m.ends {
		e.Stay()
	}
}

// Finish ends what this process had of the ends, which have moved.
func (m *Outgoing) Finish() {
	m.forget()
	for _, e := range m.ends {
		e.Release()
	}
}

// forget makes the ends behave as closed.
func (m *Outgoing) forget() {
	for _, e := range m.ends {
		e.Moved()
	}
}

// Undo takes back a message that has not been written, but for its own descriptors.
func (m *Outgoing) Undo() {
	if m == nil {
		return
	}
	if stray := m.takeBack(); len(stray) > 0 {
		m.carrier.Stray(stray)
	}
	m.Stay()
	m.carrier.Unwatch(m)
}

// Release is called when the peer has adopted the ends, or nobody will ever know.
func (m *Outgoing) Release() { m.decide((*rights.Outgoing).Release, m.Finish) }

// TakeBack is called when the peer has not looked at the message, and never will.
func (m *Outgoing) TakeBack() {
	for _, o := range m.luggage {
		if exported := o.Unpark(); exported != nil {
			m.carrier.Keep(exported)
		}
	}
	m.decide((*rights.Outgoing).TakeBack, m.Stay)
}

// Decline is called when the peer has discarded the message.
func (m *Outgoing) Decline() { m.decide((*rights.Outgoing).Decline, m.Stay) }

// decide lets go of the copies, and then of the ends, on a goroutine of its own: the caller may be
// the carrier's reader, for which an end that goes over itself waits.
func (m *Outgoing) decide(let func(*rights.Outgoing), ends func()) {
	let(m.message)
	for _, o := range m.luggage {
		let(o)
	}
	go func() {
		defer close(m.decided)
		ends()
	}()
}

// Settle ends the sending of a message that has been written. With decided, what becomes of the
// ends is known, and Settle returns when that has been done. Else it is no business of this process
// any more, and they behave as closed.
func (m *Outgoing) Settle(decided bool) {
	m.carrier.Unwatch(m)
	if decided {
		<-m.decided
		return
	}
	m.forget()
}
