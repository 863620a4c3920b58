package endpoint_test

import (
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Ends that move, or do not: Conn.peerMoves, Conn.rehello and package move. States that parse but
// do not fit are in hostile_state_test.go.

// luggage is a packet in front of a message, with n records of a file.
func (e *enemy) luggage(serial uint64, payload []byte, n int) wire.Packet {
	p := withRecords(serial, n, e.own())
	p.Flags, p.Payload = wire.Luggage, payload
	return p
}

// end is a record of an end that is what the enemy has.
func (e *enemy) end(k descriptor.Kind, value uint64) wire.Record {
	return wire.Record{Kind: uint8(k), Owner: wire.End, Value: value}
}

func moved(socket uint64) func(*wire.Packet, *wire.HelloBody) {
	return func(p *wire.Packet, h *wire.HelloBody) { p.Flags, h.Socket = wire.Moved, socket }
}

var (
	aMove      = wire.Packet{Type: wire.Move, Serial: 1}
	emptyState = wire.AppendPacket(nil, new(sock.PacketState))
)

var moves = map[string]attack{
	"luggage in front of plain data": {says: "protocol error: luggage of a message without ends", do: func(e *enemy) {
		e.packet(e.luggage(1, emptyState, 2))
		e.packet(plainData)
	}},
	"luggage in front of a file": {says: "bad record: 2 descriptors and 40 bytes of luggage that belong to nothing", do: func(e *enemy) {
		e.packet(e.luggage(1, emptyState, 2))
		e.packet(withRecords(2, 1, e.own()))
	}},
	"more luggage than was granted": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		for i := range uint64(sock.MaxLuggage/wire.MaxPayload + 2) {
			e.packet(e.luggage(i+1, make([]byte, wire.MaxPayload), 0))
		}
	}},
	"luggage of nothing, for ever": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		for i := range uint64(1000) {
			e.packet(e.luggage(i+1, nil, 0))
		}
	}},
	"luggage with more descriptors than were granted": {says: "protocol error: more descriptors than were allowed", do: func(e *enemy) {
		for i := range uint64(sock.RightsWindow/descriptor.Max + 2) {
			e.packet(e.luggage(i+1, nil, descriptor.Max))
		}
	}},
	"luggage that is not acknowledged": {says: "malformed packet: records without a serial number", do: func(e *enemy) { e.packet(e.luggage(0, emptyState, 2)) }},
	"luggage in pieces": {says: "malformed packet: luggage with flags 0x9, serial number 1 and a name of 0 bytes", do: func(e *enemy) {
		p := e.luggage(1, emptyState, 0)
		p.Flags |= wire.More
		e.packet(p)
	}},
	"an end without luggage":    {says: "record 0: bad record: malformed packet: luggage of nothing that is known", do: func(e *enemy) { e.packet(withRecords(1, 1, e.end(descriptor.Unix, 0))) }},
	"an end that is a file":     {says: "record 0: bad record: an end of kind 1", do: func(e *enemy) { e.packet(withRecords(1, 1, e.end(descriptor.File, e.file))) }},
	"an end with a file behind": {says: "record 0: bad record: …", do: func(e *enemy) { e.moves(wire.AppendConn(nil, new(sock.ConnState)), e.end(descriptor.Unix, e.file)) }},
	"a state of another kind":   {says: "record 0: bad record: state 2 of a descriptor of kind 7", do: func(e *enemy) { e.moves(wire.AppendListener(nil, new(sock.ListenerState)), e.end(descriptor.Unix, 0)) }},
	"a pipe that is no end": {says: "record 0: bad record: state 4 of a descriptor of kind 7", do: func(e *enemy) {
		e.moves([]byte{byte(wire.PipeTag)}, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
	}},
	"an end that is not open": {says: "bad record 0: …", do: func(e *enemy) { e.moves(wire.AppendConn(nil, new(sock.ConnState)), e.end(descriptor.Unix, 1<<30)) }},

	"a move that cannot be acknowledged": {says: "protocol error: packet out of place", do: func(e *enemy) { e.packet(wire.Packet{Type: wire.Move}) }},
	"a move in the middle of a move": {says: "protocol error: packet out of place", do: func(e *enemy) {
		e.packet(aMove)
		e.packet(wire.Packet{Type: wire.Move, Serial: 2})
	}},
	"a hello of an end that has not moved": {says: "protocol error: packet out of place", do: func(e *enemy) { e.hello(sock.Stream, moved(0)) }},
	"a hello of another socket": {says: "protocol error: packet out of place", do: func(e *enemy) {
		e.packet(aMove)
		e.hello(sock.Stream, moved(77))
	}},
	"a hello of a socket of another type": {says: "protocol error: packet out of place", do: func(e *enemy) {
		e.packet(aMove)
		e.hello(sock.Seqpacket, moved(0))
	}},
	"a move, and a hello that answers": {says: "protocol error: packet out of place", do: func(e *enemy) {
		e.packet(aMove)
		e.hello(sock.Stream, nil)
	}},
	"an owner that pays back what it was granted": {says: "protocol error: credit for what was never sent", do: func(e *enemy) {
		e.packet(aMove)
		e.hello(sock.Stream, func(p *wire.Packet, h *wire.HelloBody) { p.Flags, h.Rights = wire.Moved, 1 })
	}},
	"an owner with a window that cannot be": {says: "protocol error: more data than the window allows", do: func(e *enemy) {
		e.packet(aMove)
		e.hello(sock.Stream, func(p *wire.Packet, h *wire.HelloBody) { p.Flags, h.Window = wire.Moved, 1<<32-1 })
	}},
	"descriptors before a new owner is ready": {says: "protocol error: descriptors before they were agreed on", do: func(e *enemy) {
		e.packet(aMove)
		e.hello(sock.Stream, moved(0))
		e.packet(withRecords(2, 1, e.own()))
	}},
}

// moves sends an end: its state, its record, and whatever else its state speaks of.
func (e *enemy) moves(state []byte, end wire.Record, parts ...wire.Record) {
	const most = wire.MaxPayload / 2
	serial := uint64(1)
	for first := true; first || len(state) > 0; first = false {
		p := wire.Packet{Type: wire.Data, Flags: wire.Luggage, Serial: serial}
		p.Payload, state = state[:min(most, len(state))], state[min(most, len(state)):]
		if first {
			p.Records = len(parts)
			for _, r := range parts {
				p.Ancillary = r.Append(p.Ancillary)
			}
		}
		e.packet(p)
		serial++
	}
	e.packet(withRecords(serial, 1, end))
}

func TestP7EndsThatDoNotMove(t *testing.T) { assail(t, on(sock.Stream, moves)) }
