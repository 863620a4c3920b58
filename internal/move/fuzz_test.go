package move_test

import (
	"errors"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/rights"
	"afunix/internal/wire"
)

// messagePacket is a packet of the user's.
type messagePacket = wire.Packet

func packet(records, states []byte) *wire.Packet {
	p := &wire.Packet{Type: wire.Data, Flags: wire.Luggage, Ancillary: records, Payload: states}
	for rest := records; len(rest) > 0; p.Records++ {
		var err error
		if _, rest, err = wire.ParseRecord(rest); err != nil {
			return p
		}
	}
	return p
}

func record(v uintptr) []byte {
	return wire.Record{Kind: uint8(descriptor.File), Owner: wire.Sender, Value: uint64(v)}.Append(nil)
}

// Whatever a mover says of its ends: what has been adopted belongs to an end, or has been closed,
// and nothing else has been touched. Each byte of kinds is a descriptor that comes, of the message
// or in front of it.
func FuzzIncoming(f *testing.F) {
	for _, build := range []func(w *world) *end{
		func(w *world) *end { return w.conn("a", 2, w.conn("b", 1)) },
		func(w *world) *end { return w.listener("e", 3, 2, w.conn("f", 0)) },
		func(w *world) *end { return w.packetConn("g", w.conn("h", 0)) },
	} {
		w := newWorld(nil, rights.Pull)
		m := w.message(build(w))
		if err := m.Pack(); err != nil {
			f.Fatal(err)
		}
		f.Add(m.State(), []byte{0, 1, 1, 2, 0, 0}, uint8(1))
		f.Add(m.State(), []byte{0x13, 0x11, 0x12, 0x13, 0x10, 0x10}, uint8(1))
	}
	f.Fuzz(func(t *testing.T, states, kinds []byte, ends uint8) {
		w := newWorld(t, rights.Pull)
		var block []byte
		var records []wire.Record
		for _, k := range kinds[:min(len(kinds), 60)] {
			records = append(records, w.record(k))
		}
		n := min(int(ends), len(records))
		for _, r := range records[:n] {
			block = r.Append(block)
		}
		var l move.Luggage
		front := &wire.Packet{Payload: states, Records: len(records) - n}
		for _, r := range records[n:] {
			front.Ancillary = r.Append(front.Ancillary)
		}
		l.Add(front)
		here := w.here.Len()
		set, err := w.incoming(l).Message(&wire.Packet{Ancillary: block, Records: n})
		switch {
		case err == nil:
			set.Discard()
		case !errors.Is(err, rights.ErrRecord):
			t.Fatal(err)
		}
		w.have(here, 0)
	})
}

// record is one of a descriptor here, or of none: what it says that it is need not be so.
func (w *world) record(how byte) wire.Record {
	kinds := []descriptor.Kind{descriptor.Unix, descriptor.UnixListener, descriptor.File, descriptor.Unix}
	r := wire.Record{Kind: uint8(kinds[how&3]), Owner: wire.End}
	if kinds[how&3] == descriptor.File {
		r.Owner = wire.Sender
	}
	switch {
	case how&3 == 3: // a datagram socket, or a lie
	case how&0x20 != 0:
		r.Value = 1 << 20 // not open
	case how&0x40 != 0:
		r.Value = uint64(w.here.Open(descriptor.Memory))
	case r.Owner == wire.End:
		r.Value = uint64(w.here.Open(descriptor.EndKind(kinds[how&3])))
	default:
		r.Value = uint64(w.here.Open(descriptor.File))
	}
	if how&0x80 != 0 {
		r.Owner ^= wire.End
	}
	return r
}
