package endpoint_test

import (
	"encoding/binary"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// luggage is what the enemy says of ends that it sends: by default something that could be true,
// for a fuzzer would never hit on that.
type luggage struct {
	s       *siege
	m       *mouth
	states  []byte
	records []wire.Record
}

// moveIn sends ends, with what they are said to have.
func (s *siege) moveIn(m *mouth) {
	l := &luggage{s: s, m: m}
	b := s.script
	message := wire.Packet{Type: wire.Data, Serial: b.number(), Payload: []byte("x")}
	for range 1 + b.byte()%3 {
		var r wire.Record
		how := b.byte()
		typ := []sock.Type{s.typ, sock.Stream, sock.Seqpacket, sock.Datagram}[how>>2&3]
		switch how & 3 {
		case 0, 1:
			l.conn(typ)
			r = s.newEnd(m, descriptor.Unix)
		case 2:
			l.listener(typ)
			r = s.newEnd(m, descriptor.UnixListener)
		case 3:
			l.packetConn()
			r = wire.Record{Kind: uint8(descriptor.Unix), Owner: wire.End}
		}
		message.Ancillary = r.Append(message.Ancillary)
		message.Records++
	}
	if m.account.typ == sock.Datagram {
		message.Name = []byte(enemyName)
	}
	p := wire.Packet{Type: wire.Data, Flags: wire.Luggage, Serial: max(message.Serial, 1), Payload: l.states}
	switch how, n := b.byte(), int(b.byte())*int(b.byte()); { // or a lie
	case len(p.Payload) == 0, how >= 0xF0:
		p.Payload = append(p.Payload, b.bytes(20)...)
	case how >= 0xE0:
		p.Payload = p.Payload[:n%len(p.Payload)]
	case how >= 0xD0:
		p.Payload[n%len(p.Payload)] ^= 1 << (how & 7)
	}
	for _, r := range l.records {
		p.Ancillary = r.Append(p.Ancillary)
		p.Records++
	}
	s.say(m, p)
	s.say(m, message)
}

// lie changes one number, if the script wants that.
func (l *luggage) lie(numbers ...*uint64) {
	if b := l.s.script.byte(); int(b) < len(numbers) {
		*numbers[b] = l.s.script.number()
	}
}

// conn is a connection, which says how many records are in its queue.
func (l *luggage) conn(typ sock.Type) (records uint32) {
	b := l.s.script
	flags := uint32(b.byte()) | uint32(b.byte())<<8 | uint32(b.byte()&1)<<16
	c := sock.ConnState{
		End: sock.EndState{Type: typ, Local: "@", Remote: "@"},
		In:  sock.InboxState{Window: sock.DefaultWindow, Arrived: 1 << 20, RightsArrived: 100, RightsGranted: 300, RightsWindow: 300},
		Out: sock.OutboxState{Buffer: sock.DefaultBuffer, RightsLimit: 300, Sent: 1 << 20, Consumed: 1 << 20},
	}
	c.End.Writers = make([]sock.Writer, b.byte()%3)
	for range b.byte() % 4 {
		seg := sock.Segment{Rights: wire.Announced(b.byte() % 3), Creds: uint32(b.byte() % 3), Data: b.bytes(1 + int(b.byte())%100)}
		if shape := b.byte(); shape < 8 {
			seg.More, seg.Continued, seg.Lost = shape&1 != 0, shape&2 != 0, shape&4 != 0
		}
		for range seg.Rights.Len() {
			l.records = append(l.records, l.s.record(l.m, b.byte(), b.number()))
		}
		if c.Segments = append(c.Segments, seg); !seg.More {
			records++
		}
	}
	if typ == sock.Datagram {
		c.Link.Queued = records
		if b.byte() < 64 && records > 0 { // one waits
			c.Link.Queued, c.Link.Offers = records-1, []uint64{b.number()}
		}
	}
	in, out := &c.In, &c.Out
	l.lie(&c.End.PeerID, &in.Arrived, &in.Consumed, &in.Reported, &in.Window, &in.RightsArrived, &in.RightsConsumed, &in.RightsGranted,
		&in.RightsWindow, &out.Sent, &out.Consumed, &out.RightsSent, &out.RightsLimit, &out.Serial, &c.Link.Offering)
	at := len(l.states)
	l.states = wire.AppendConn(l.states, &c)
	binary.LittleEndian.PutUint32(l.states[at+2:], flags) // behind the tag and the type
	return c.Link.Queued
}

// listener is a listener with what it has besides.
func (l *luggage) listener(typ sock.Type) {
	b := l.s.script
	state := sock.ListenerState{
		Type: typ, Backlog: uint32(b.byte()), Local: "/run/l", Handles: b.byte() % 3, Source: []byte("state"), Clients: uint32(b.byte() % 4),
	}
	l.states = wire.AppendListener(l.states, &state)
	for range state.Handles {
		l.records = append(l.records, l.s.newEnd(l.m, descriptor.UnixListener))
	}
	for range state.Clients {
		l.records = append(l.records, l.s.newEnd(l.m, descriptor.Unix))
		if b.byte()&1 == 0 {
			l.states = append(l.states, byte(wire.PipeTag))
		} else {
			l.conn(typ)
		}
	}
}

// packetConn is a datagram socket with its links.
func (l *luggage) packetConn() {
	b := l.s.script
	flags := uint32(b.byte() & 63)
	p := sock.PacketState{
		ID: 99, PeerID: b.number(), Buffer: sock.DefaultBuffer, Local: "@", Bound: "/run/p", Remote: enemyName, Links: uint32(b.byte() % 3),
	}
	links := &luggage{s: l.s, m: l.m}
	if flags&1 != 0 {
		links.records = append(links.records, l.s.newEnd(l.m, descriptor.UnixListener))
		links.listener(sock.Datagram)
	}
	for i := range p.Links {
		links.records = append(links.records, l.s.newEnd(l.m, descriptor.Unix))
		for range links.conn(sock.Datagram) {
			p.Order.Queue = append(p.Order.Queue, i)
		}
	}
	if n := b.byte(); n < 8 {
		p.Order.Held = append(p.Order.Held, uint32(n))
	}
	at := len(l.states)
	l.states = wire.AppendPacket(l.states, &p)
	binary.LittleEndian.PutUint32(l.states[at+1:], flags) // behind the tag
	l.states = append(l.states, links.states...)
	l.records = append(l.records, links.records...)
}
