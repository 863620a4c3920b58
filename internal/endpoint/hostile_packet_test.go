package endpoint_test

import (
	"bytes"
	"testing"

	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Packets that are none, or not where they may be: wire.Parse, Conn.admin and Inbox.Put.

// packetsOnStreams are attacks in which the type of the socket does not matter.
var packetsOnStreams = map[string]attack{
	"nonsense":                   {says: "malformed packet: reserved field is 0x2050", do: func(e *enemy) { e.say([]byte("GET / P HTTP/1.1\r\n\r\n")) }},
	"a few bytes":                {says: "malformed packet: 2 bytes are no header", do: func(e *enemy) { e.say([]byte("hi")) }},
	"ones":                       {says: "malformed packet: reserved field is 0xffff", do: func(e *enemy) { e.say(bytes.Repeat([]byte{0xFF}, 100)) }},
	"zeros":                      {says: "malformed packet: unknown type 0x0", do: func(e *enemy) { e.say(make([]byte, 100)) }},
	"a packet that is too large": {says: "m…", do: func(e *enemy) { e.say(append(change(plainData, 1, 0), make([]byte, wire.MaxPayload)...)) }},
	"unknown type":               {says: "malformed packet: unknown type 0x7f", do: func(e *enemy) { e.say(change(plainData, 0, 0x7f)) }},
	"unknown admin type":         {says: "malformed packet: unknown type 0x87", do: func(e *enemy) { e.say(change(plainData, 0, 0x87)) }},
	"unknown flags":              {says: "malformed packet: type 0x1 with flags 0x40", do: func(e *enemy) { e.say(change(plainData, 1, 0x40)) }},
	"a reserved field":           {says: "malformed packet: reserved field is 0x1", do: func(e *enemy) { e.say(change(plainData, 6, 1)) }},
	"a name beyond the packet":   {says: "malformed packet: name of 50 bytes", do: func(e *enemy) { e.say(change(plainData, 3, 50)) }},
	"a name that is too long": {says: "malformed packet: name of 109 bytes", do: func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Options, Name: make([]byte, 109), Payload: wire.AppendOptions(nil, sock.DefaultWindow)})
	}},
	"an ancillary block beyond the packet": {says: "malformed packet: ancillary block of 50 bytes", do: func(e *enemy) { e.say(change(plainData, 4, 50)) }},
	"254 records":                          {says: "malformed packet: 254 records", do: func(e *enemy) { e.packet(withRecords(1, 254, e.own())) }},
	"255 records":                          {says: "malformed packet: 255 records", do: func(e *enemy) { e.say(change(withRecords(1, 2, e.own()), 2, 255)) }},
	"fewer records than said":              {says: "malformed packet: 0 bytes are no record", do: func(e *enemy) { e.say(change(withRecords(1, 2, e.own()), 2, 3)) }},
	"more records than said":               {says: "malformed packet: 12 bytes after the last record", do: func(e *enemy) { e.say(change(withRecords(1, 2, e.own()), 2, 1)) }},
	"a truncated record": {says: "malformed packet: ancillary block of 12 bytes", do: func(e *enemy) {
		p := withRecords(1, 1, e.own())
		e.say(p.Append(nil)[:wire.HeaderLen+8])
	}},
	"records that cannot be acknowledged": {says: "malformed packet: records without a serial number", do: func(e *enemy) { e.packet(withRecords(0, 2, e.own())) }},
	"records in an acknowledgement": {says: "malformed packet: type 0x83 with records", do: func(e *enemy) {
		p := withRecords(1, 1, e.own())
		p.Type, p.Payload = wire.Ack, nil
		e.packet(p)
	}},
	"credit that is too short":  {says: "malformed packet: type 0x84 with 15 bytes of payload", do: func(e *enemy) { e.packet(wire.Packet{Type: wire.Credit, Payload: make([]byte, 15)}) }},
	"options that are too long": {says: "malformed packet: type 0x86 with 5 bytes of payload", do: func(e *enemy) { e.packet(wire.Packet{Type: wire.Options, Payload: make([]byte, 5)}) }},
	"a goodbye with a payload":  {says: "malformed packet: type 0x88 with 1 bytes of payload", do: func(e *enemy) { e.packet(wire.Packet{Type: wire.Bye, Payload: []byte{1}}) }},
	"a name on plain data": {says: "protocol error: packet out of place", do: func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Data, Name: []byte("@me"), Payload: []byte("x")})
	}},
	"an answer to a datagram": {says: "protocol error: packet out of place", do: func(e *enemy) { e.packet(wire.Packet{Type: wire.Refuse, Serial: 1}) }},
	"a withdrawal":            {says: "protocol error: packet out of place", do: func(e *enemy) { e.packet(wire.Packet{Type: wire.Cancel, Serial: 1}) }},
	"a second hello":          {says: "protocol error: packet out of place", do: func(e *enemy) { e.hello(sock.Stream, nil) }},
	"a hello of the other side": {says: "protocol error: hello from the wrong side", do: func(e *enemy) {
		e.hello(sock.Stream, func(p *wire.Packet, _ *wire.HelloBody) { p.Flags = wire.FromServer })
	}},
	"ready twice":              {says: "protocol error: packet out of place", do: (*enemy).ready},
	"a packet of nothing":      {says: "protocol error: packet of nothing on a stream", do: func(e *enemy) { e.packet(wire.Packet{Type: wire.Data}) }},
	"a piece on a stream":      {says: "protocol error: pieces of a message out of order", do: func(e *enemy) { e.packet(piece(wire.More)) }},
	"a last piece on a stream": {says: "protocol error: pieces of a message out of order", do: func(e *enemy) { e.packet(piece(wire.Continued)) }},
	"data after the end": {says: "protocol error: data after the end", do: func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Shutdown, Flags: wire.ShutWrite})
		e.packet(plainData)
	}},
}

var packetsOfRecords = map[string]attack{
	"a later piece of nothing": {says: "protocol error: pieces of a message out of order", do: func(e *enemy) { e.packet(piece(wire.Continued)) }},
	"a message inside a message": {says: "protocol error: pieces of a message out of order", do: func(e *enemy) {
		e.packet(piece(wire.More))
		e.packet(plainData)
	}},
	"descriptors in a later piece": {says: "malformed packet: records in a later piece", do: func(e *enemy) {
		e.packet(piece(wire.More))
		p := withRecords(1, 1, e.own())
		p.Flags = wire.Continued
		e.packet(p)
	}},
}

func piece(flags uint8) wire.Packet {
	return wire.Packet{Type: wire.Data, Flags: flags, Payload: []byte("x")}
}

func TestP7PacketsThatAreNone(t *testing.T) {
	assail(t, on(sock.Stream, packetsOnStreams))
	assail(t, on(sock.Seqpacket, packetsOfRecords))
}
