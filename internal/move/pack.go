package move

import (
	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// packed is what ends take along: their states, and the descriptors that the states speak of.
type packed struct {
	states  []byte
	luggage []*rights.Outgoing // the descriptors, as many as fit into a packet in each
	room    func() *rights.Outgoing

	told    int // so many bytes of states are in packets
	loaded  int // so many of luggage are
	written int // so many of luggage have been written
}

// AddConn adds a connection, or a link of a datagram socket: its state, the descriptors in its
// queue, and the states of the ends among those.
func (m *Outgoing) AddConn(s *sock.ConnState) error {
	m.states = wire.AppendConn(m.states, s)
	for i := range s.Segments {
		if r := s.Segments[i].Rights; r != nil {
			if err := m.addSet(r.(*descriptor.Set)); err != nil {
				return err
			}
		}
	}
	return nil
}

// AddListener adds a listener, whose source has these descriptors besides the first. Its clients
// follow: AddPart or AddSilent.
func (m *Outgoing) AddListener(s *sock.ListenerState, handles []uintptr) {
	m.states = wire.AppendListener(m.states, s)
	for _, v := range handles {
		m.next().AddEnd(v, descriptor.UnixListener)
	}
}

// AddPacket adds a datagram socket. Its listener and its links follow: AddPart.
func (m *Outgoing) AddPacket(s *sock.PacketState) { m.states = wire.AppendPacket(m.states, s) }

// AddPart adds an end that another one is made of.
func (m *Outgoing) AddPart(e End) error {
	v, err := e.Descriptor()
	if err != nil {
		return err
	}
	m.next().AddEnd(v, e.Kind())
	return e.Pack(m)
}

// AddSilent adds the pipe of a client that has not said hello.
func (m *Outgoing) AddSilent(v uintptr) {
	m.next().AddEnd(v, descriptor.Unix)
	m.states = append(m.states, byte(wire.PipeTag))
}

// addSet adds the descriptors of a message in a queue, and then the states of the ends among them.
func (m *Outgoing) addSet(set *descriptor.Set) error {
	var ends []End
	for i := range set.Len() {
		v, k, e := set.Borrow(i)
		if e == nil {
			o := m.next()
			o.Add(v)
			if err := o.Look(); err != nil {
				return err
			}
			continue
		}
		end := e.(End)
		v, err := end.Descriptor()
		if err != nil {
			return err
		}
		m.next().AddEnd(v, k)
		ends = append(ends, end)
	}
	for _, e := range ends {
		if err := e.Pack(m); err != nil {
			return err
		}
	}
	return nil
}

// next returns where the next descriptor goes.
func (p *packed) next() *rights.Outgoing {
	if n := len(p.luggage); n > 0 && p.luggage[n-1].Len() < wire.MaxRecords {
		return p.luggage[n-1]
	}
	o := p.room()
	p.luggage = append(p.luggage, o)
	return o
}

// State returns the states that have been packed.
func (p *packed) State() []byte { return p.states }

// Weight bounds what the luggage takes of the credit for descriptors, however it is cut into
// packets.
func (m *Outgoing) Weight() int {
	if m == nil {
		return 0
	}
	packets := len(m.luggage) + len(m.states)/(wire.MaxPayload-wire.MaxAncillary) + 1
	n := sock.Arrival{Bytes: len(m.states), Luggage: true}.Weight() + packets
	for _, o := range m.luggage {
		n += o.Len()
	}
	return n
}

// Duplicate duplicates the descriptors that the states speak of.
func (m *Outgoing) Duplicate() error {
	if m == nil {
		return nil
	}
	for _, o := range m.luggage {
		if err := o.Duplicate(); err != nil {
			return err
		}
	}
	return nil
}

// Exported reports whether one of them cannot be taken back.
func (m *Outgoing) Exported() bool {
	if m == nil {
		return false
	}
	for _, o := range m.luggage {
		if o.Exported() {
			return true
		}
	}
	return false
}

// More reports whether packets are left that go in front of the message.
func (p *packed) More() bool { return p.told < len(p.states) || p.loaded < len(p.luggage) }

// Packet returns the next of them.
func (p *packed) Packet() (wire.Packet, error) {
	packet := wire.Packet{Type: wire.Data, Flags: wire.Luggage}
	if p.loaded < len(p.luggage) {
		o := p.luggage[p.loaded]
		block, err := o.Records()
		if err != nil {
			return packet, err
		}
		packet.Ancillary, packet.Records = block, o.Len()
		p.loaded++
	}
	n := min(len(p.states)-p.told, wire.MaxPayload-len(packet.Ancillary))
	packet.Payload = p.states[p.told : p.told+n]
	p.told += n
	return packet, nil
}

// Wrote notes that it has been written.
func (p *packed) Wrote() { p.written = p.loaded }

// takeBack lets go of the descriptors of a message that has not been written. It returns those that
// are in the pipe all the same.
func (p *packed) takeBack() (stray []*rights.Outgoing) {
	for _, o := range p.luggage[p.written:] {
		o.TakeBack()
	}
	return p.luggage[:p.written]
}
