package endpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/leaktest"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// P7: whatever a peer says by hand, over the fake pipe and over the real one, ends its own connection with an error that says what
// was wrong, leaves nothing behind, and concerns nobody else.

var rawPackets = sync.Pool{New: func() any { return new(endpoint.Buffer) }}

// An enemy is a peer that speaks by hand: a client, but for those of the tests of Dial.
type enemy struct {
	t    *testing.T
	pipe endpoint.Pipe
	file uint64 // a descriptor of its own, of kind File
	can  rights.Ability
}

// say writes raw bytes as one packet. The other side may have ended the connection already.
func (e *enemy) say(b []byte) {
	for {
		err := e.pipe.Write(b, nil)
		if err == syscall.EAGAIN {
			err = e.pipe.WaitWritable()
		} else if err == syscall.EMSGSIZE {
			b = []byte("hi") // a pipe of Windows takes no such packet: something else that is none will do
			continue
		} else if err == nil {
			return
		}
		if err != nil {
			return
		}
	}
}

func (e *enemy) packet(p wire.Packet) { e.say(p.Append(nil)) }

// hear reads a packet.
func (e *enemy) hear() (wire.Packet, error) {
	buf, n, _, err := e.pipe.Read(&rawPackets, nil)
	if err != nil {
		return wire.Packet{}, err
	}
	return wire.Parse(bytes.Clone(buf[:n]))
}

// untilHungUp waits until the other side has ended the connection, for a while.
func (e *enemy) untilHungUp() {
	impatience := time.AfterFunc(10*time.Second, func() { e.pipe.Close() })
	defer impatience.Stop()
	for {
		if _, err := e.hear(); err != nil {
			return
		}
	}
}

// hello says a client's hello, changed by change.
func (e *enemy) hello(typ sock.Type, change func(*wire.Packet, *wire.HelloBody)) {
	e.t.Helper()
	proof, err := e.pipe.Proof()
	if err != nil {
		e.t.Fatal(err)
	}
	h := wire.HelloBody{SocketType: uint8(typ), Window: sock.DefaultWindow, Rights: 1000, Proof: proof}
	p := wire.Packet{Type: wire.Hello}
	if change != nil {
		change(&p, &h)
	}
	p.Payload = h.Append(nil)
	e.packet(p)
}

// welcomed takes in the server's hello, and shows itself to be who it is.
func (e *enemy) welcomed() {
	e.t.Helper()
	p, err := e.hear()
	if err != nil {
		e.t.Fatal(err)
	}
	h, err := wire.ParseHello(p.Payload)
	if err != nil || h.Status != wire.OK {
		e.t.Fatal(h, err)
	}
	if _, e.can, err = e.pipe.Identify(h.Proof); err == nil {
		err = e.pipe.Answer()
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *enemy) ready() { e.packet(wire.Packet{Type: wire.Ready, Payload: []byte{byte(e.can)}}) }

// rights is a packet with n records like r.
func withRecords(serial uint64, n int, r wire.Record) wire.Packet {
	return wire.Packet{Type: wire.Data, Serial: serial, Records: n, Ancillary: bytes.Repeat(r.Append(nil), n), Payload: []byte("x")}
}

// own is a record of a descriptor that the enemy really has.
func (e *enemy) own() wire.Record {
	return wire.Record{Kind: uint8(descriptor.File), Owner: wire.Sender, Value: e.file}
}

func credit(consumed, rights uint64) wire.Packet {
	return wire.Packet{Type: wire.Credit, Payload: wire.CreditBody{Consumed: consumed, Rights: rights}.Append(nil)}
}

// change returns p with byte i set to b: what Append would never write.
func change(p wire.Packet, i int, b byte) []byte {
	raw := p.Append(nil)
	raw[i] = b
	return raw
}

var plainData = wire.Packet{Type: wire.Data, Payload: []byte("x")}

// After the handshake.
var hostile = []struct {
	name string
	says string
	typ  sock.Type
	do   func(e *enemy)
}{
	{"nonsense", "malformed", sock.Stream, func(e *enemy) { e.say([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")) }},
	{"a few bytes", "no header", sock.Stream, func(e *enemy) { e.say([]byte("hi")) }},
	{"ones", "malformed", sock.Stream, func(e *enemy) { e.say(bytes.Repeat([]byte{0xFF}, 100)) }},
	{"zeros", "unknown type", sock.Stream, func(e *enemy) { e.say(make([]byte, 100)) }},
	{"a packet that is too large", "", sock.Stream, func(e *enemy) { e.say(append(change(plainData, 1, 0), make([]byte, wire.MaxPayload)...)) }},
	{"unknown type", "unknown type 0x7f", sock.Stream, func(e *enemy) { e.say(change(plainData, 0, 0x7f)) }},
	{"unknown admin type", "unknown type 0x87", sock.Stream, func(e *enemy) { e.say(change(plainData, 0, 0x87)) }},
	{"unknown flags", "flags", sock.Stream, func(e *enemy) { e.say(change(plainData, 1, 0x40)) }},
	{"reserved field", "reserved", sock.Stream, func(e *enemy) { e.say(change(plainData, 6, 1)) }},
	{"a name beyond the packet", "name of 50 bytes", sock.Stream, func(e *enemy) { e.say(change(plainData, 3, 50)) }},
	{"an ancillary block beyond the packet", "ancillary block of 50 bytes", sock.Stream, func(e *enemy) { e.say(change(plainData, 4, 50)) }},
	{"254 records", "254 records", sock.Stream, func(e *enemy) { e.packet(withRecords(1, 254, e.own())) }},
	{"255 records", "255 records", sock.Stream, func(e *enemy) { e.say(change(withRecords(1, 2, e.own()), 2, 255)) }},
	{"fewer records than said", "no record", sock.Stream, func(e *enemy) { e.say(change(withRecords(1, 2, e.own()), 2, 3)) }},
	{"more records than said", "after the last record", sock.Stream, func(e *enemy) { e.say(change(withRecords(1, 2, e.own()), 2, 1)) }},
	{"records that cannot be acknowledged", "serial", sock.Stream, func(e *enemy) { e.packet(withRecords(0, 2, e.own())) }},
	{"records in an acknowledgement", "records", sock.Stream, func(e *enemy) {
		p := withRecords(1, 1, e.own())
		p.Type, p.Payload = wire.Ack, nil
		e.packet(p)
	}},
	{"a truncated record", "", sock.Stream, func(e *enemy) { p := withRecords(1, 1, e.own()); e.say(p.Append(nil)[:wire.HeaderLen+8]) }},
	{"credit that is too short", "payload", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Credit, Payload: make([]byte, 15)}) }},
	{"options that are too long", "payload", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Options, Payload: make([]byte, 5)}) }},
	{"a goodbye with a payload", "payload", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Bye, Payload: []byte{1}}) }},
	{"an answer to a datagram", "out of place", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Refuse, Serial: 1}) }},
	{"a second hello", "out of place", sock.Stream, func(e *enemy) { e.hello(sock.Stream, nil) }},
	{"a hello of the other side", "wrong side", sock.Stream, func(e *enemy) {
		e.hello(sock.Stream, func(p *wire.Packet, _ *wire.HelloBody) { p.Flags = wire.FromServer })
	}},
	{"ready twice", "out of place", sock.Stream, (*enemy).ready},
	{"acknowledgement of what was never sent", "acknowledgement", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Ack, Serial: 1}) }},
	{"acknowledgement of nothing", "acknowledgement", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Ack}) }},
	{"acknowledgement from the far future", "acknowledgement", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Ack, Serial: 1<<64 - 1}) }},
	{"credit that was never earned", "credit", sock.Stream, func(e *enemy) { e.packet(credit(1, 1000)) }},
	{"all credit there is", "credit", sock.Stream, func(e *enemy) { e.packet(credit(1<<64-1, 1<<64-1)) }},
	{"descriptors taken back from the grant", "credit", sock.Stream, func(e *enemy) { e.packet(credit(0, 999)) }},
	{"a window that is too small", "window", sock.Stream, func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Options, Payload: wire.AppendOptions(nil, sock.MinWindow-1)})
	}},
	{"a window that is too large", "window", sock.Stream, func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Options, Payload: wire.AppendOptions(nil, sock.MaxWindow+1)})
	}},
	{"data beyond the window", "window", sock.Stream, func(e *enemy) {
		big := wire.Packet{Type: wire.Data, Payload: make([]byte, wire.MaxPayload)}
		for range sock.MaxWindow/wire.MaxPayload + 2 {
			e.packet(big)
		}
	}},
	{"empty packets beyond the window", "window", sock.Seqpacket, func(e *enemy) {
		for range sock.MaxWindow/768 + 2 {
			e.packet(wire.Packet{Type: wire.Data})
		}
	}},
	{"more descriptors than were granted", "descriptors", sock.Stream, func(e *enemy) {
		for i := range uint64(sock.RightsWindow/descriptor.Max + 2) {
			e.packet(withRecords(i+1, descriptor.Max, e.own()))
		}
	}},
	{"a piece on a stream", "pieces", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Data, Flags: wire.More, Payload: []byte("x")}) }},
	{"a later piece on a stream", "pieces", sock.Stream, func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Data, Flags: wire.Continued, Payload: []byte("x")})
	}},
	{"a packet of nothing on a stream", "", sock.Stream, func(e *enemy) { e.packet(wire.Packet{Type: wire.Data}) }},
	{"a message that never ends", "window", sock.Seqpacket, func(e *enemy) {
		p := wire.Packet{Type: wire.Data, Flags: wire.More, Payload: make([]byte, wire.MaxPayload)}
		for range sock.MaxWindow/wire.MaxPayload + 2 {
			e.packet(p)
			p.Flags = wire.More | wire.Continued
		}
	}},
	{"a later piece of nothing", "pieces", sock.Seqpacket, func(e *enemy) { e.packet(wire.Packet{Type: wire.Data, Flags: wire.Continued}) }},
	{"a message inside a message", "pieces", sock.Seqpacket, func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Data, Flags: wire.More})
		e.packet(plainData)
	}},
	{"descriptors in a later piece", "later piece", sock.Seqpacket, func(e *enemy) {
		e.packet(wire.Packet{Type: wire.Data, Flags: wire.More})
		p := withRecords(1, 1, e.own())
		p.Flags = wire.Continued
		e.packet(p)
	}},
	{"a kind that does not exist", "kind 200", sock.Stream, func(e *enemy) {
		r := e.own()
		r.Kind = 200
		e.packet(withRecords(1, 3, r))
	}},
	{"a kind that lies", "record 0", sock.Stream, func(e *enemy) {
		r := e.own()
		r.Kind = uint8(descriptor.Process)
		e.packet(withRecords(1, 3, r))
	}},
	{"a record of an owner that was not agreed", "owner 1", sock.Stream, func(e *enemy) {
		r := e.own()
		r.Owner = wire.Receiver
		e.packet(withRecords(1, 2, r))
	}},
	{"an owner that does not exist", "owner 4", sock.Stream, func(e *enemy) {
		r := e.own()
		r.Owner = 4
		e.packet(withRecords(1, 2, r))
	}},
	{"an exported file", "owner 2", sock.Stream, func(e *enemy) {
		e.packet(withRecords(1, 1, wire.Record{Kind: uint8(descriptor.File), Owner: wire.Exported, Extra: make([]byte, 20)}))
	}},
	{"a pseudo-handle", "record 0", sock.Stream, func(e *enemy) {
		r := e.own()
		r.Value = 1<<64 - 1
		e.packet(withRecords(1, 1, r))
	}},
	{"a descriptor that is not open", "record 0", sock.Stream, func(e *enemy) {
		r := e.own()
		r.Value = 1 << 30
		e.packet(withRecords(1, 1, r))
	}},
	{"a good descriptor before a bad one", "record 1", sock.Stream, func(e *enemy) {
		r := e.own()
		p := withRecords(1, 1, r)
		r.Value = 1 << 30
		p.Ancillary = slices.Concat(p.Ancillary, r.Append(nil), e.own().Append(nil))
		p.Records = 3
		e.packet(p)
	}},
}

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

func init() {
	move := wire.Packet{Type: wire.Move, Serial: 1}
	state := new(wire.PacketState).Append(nil)
	for _, h := range []struct {
		name string
		says string
		do   func(e *enemy)
	}{
		{"luggage in front of plain data", "luggage", func(e *enemy) {
			e.packet(e.luggage(1, state, 2))
			e.packet(plainData)
		}},
		{"luggage in front of a file", "belong to nothing", func(e *enemy) {
			e.packet(e.luggage(1, state, 2))
			e.packet(withRecords(2, 1, e.own()))
		}},
		{"more luggage than was granted", "more data", func(e *enemy) {
			for i := range uint64(sock.MaxLuggage/wire.MaxPayload + 2) {
				e.packet(e.luggage(i+1, make([]byte, wire.MaxPayload), 0))
			}
		}},
		{"luggage with more descriptors than were granted", "descriptors", func(e *enemy) {
			for i := range uint64(sock.RightsWindow/descriptor.Max + 2) {
				e.packet(e.luggage(i+1, nil, descriptor.Max))
			}
		}},
		{"an end without luggage", "record 0", func(e *enemy) { e.packet(withRecords(1, 1, e.end(descriptor.Unix, 0))) }},
		{"an end that is a file", "kind 1", func(e *enemy) { e.packet(withRecords(1, 1, e.end(descriptor.File, e.file))) }},
		{"an end with a file behind it", "record 0", func(e *enemy) {
			e.packet(e.luggage(1, new(wire.ConnState).Append(nil), 1))
			e.packet(withRecords(2, 1, e.end(descriptor.Unix, e.file)))
		}},
		{"a state of a kind that does not fit", "record 0", func(e *enemy) {
			e.packet(e.luggage(1, new(wire.ListenerState).Append(nil), 1))
			e.packet(withRecords(2, 1, e.end(descriptor.Unix, 0)))
		}},
		{"an end that is not open", "record 0", func(e *enemy) {
			e.packet(e.luggage(1, new(wire.ConnState).Append(nil), 1))
			e.packet(withRecords(2, 1, e.end(descriptor.Unix, 1<<30)))
		}},
		{"a move that cannot be acknowledged", "out of place", func(e *enemy) { e.packet(wire.Packet{Type: wire.Move}) }},
		{"a move in the middle of a move", "out of place", func(e *enemy) {
			e.packet(move)
			e.packet(wire.Packet{Type: wire.Move, Serial: 2})
		}},
		{"a hello of an end that has not moved", "out of place", func(e *enemy) { e.hello(sock.Stream, moved(0)) }},
		{"a hello of another socket", "out of place", func(e *enemy) {
			e.packet(move)
			e.hello(sock.Stream, moved(77))
		}},
		{"a hello of a socket of another type", "out of place", func(e *enemy) {
			e.packet(move)
			e.hello(sock.Seqpacket, moved(0))
		}},
		{"a move, and a hello that answers", "out of place", func(e *enemy) {
			e.packet(move)
			e.hello(sock.Stream, nil)
		}},
		{"an owner that pays back what it was granted", "credit", func(e *enemy) {
			e.packet(move)
			e.hello(sock.Stream, func(p *wire.Packet, h *wire.HelloBody) { p.Flags, h.Rights = wire.Moved, 1 })
		}},
	} {
		hostile = append(hostile, struct {
			name string
			says string
			typ  sock.Type
			do   func(e *enemy)
		}{h.name, h.says, sock.Stream, h.do})
	}
}

// ends fails unless c's reads end with EPROTO and its writes with EPIPE.
func ends(t *testing.T, c *endpoint.Conn, says string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 1<<16)
	for range 10000 {
		m, err := c.Recv(buf, false)
		m.Rights.Close()
		if err == nil && m.N == 0 && says == "" {
			t.Fatal("a read of a stream gave no bytes and no error")
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, syscall.EPROTO) || !strings.Contains(err.Error(), says) {
			t.Fatalf("%v, want EPROTO that says %q", err, says)
		}
		if _, err := c.Read(buf); !errors.Is(err, syscall.EPROTO) {
			t.Errorf("a second read: %v", err)
		}
		if _, err := c.Write([]byte("x")); err != syscall.EPIPE {
			t.Errorf("write: %v, want EPIPE", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		return
	}
	t.Fatal("it does not end")
}

func TestP7HostileClientOverTheFakePipe(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tt.typ)
				defer r.end()
				s, c := newFakePipe(kinship{opens, 0, false}, r.serverProc, r.clientProc)
				r.source.pipes <- s
				e := &enemy{t: t, pipe: c, file: uint64(r.open(r.clientProc, descriptor.File, 1)[0].Value)}
				e.hello(tt.typ, nil)
				e.welcomed()
				e.ready()
				conn, err := r.listener.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				tt.do(e)
				e.untilHungUp()
				ends(t, conn.(*endpoint.Conn), tt.says)
				c.Close()
				if good, err := r.dial(tt.typ); err != nil {
					t.Errorf("the next client: %v", err)
				} else {
					good.Close()
				}
			})
		})
	}
}

func TestP7HostileClientOverTheRealPipe(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			leaktest.Check(t)
			l, path := listen(t, tt.typ, 0)
			pipe, err := newClient(context.Background(), path, tt.typ)
			if err != nil {
				t.Fatal(err)
			}
			defer pipe.Close()
			e := &enemy{t: t, pipe: pipe, file: uint64(file(t).Value)}
			e.hello(tt.typ, nil)
			e.welcomed()
			e.ready()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			tt.do(e)
			e.untilHungUp()
			ends(t, conn.(*endpoint.Conn), tt.says)
			good := dial(t, tt.typ, path)
			send(t, good, "the listener goes on", file(t))
			next, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer next.Close()
			recv(t, next.(*endpoint.Conn), "the listener goes on", 1).Close()
		})
	}
}

// Before the handshake has ended, on the server's side: nobody accepts such a connection, or it ends with EPROTO.
func TestP7HostileHandshake(t *testing.T) {
	for _, tt := range []struct {
		name     string
		do       func(e *enemy)
		accepted bool // the hello was good
	}{
		{"nonsense", func(e *enemy) { e.say([]byte("SSH-2.0-OpenSSH_9.2\r\n")) }, false},
		{"a few bytes", func(e *enemy) { e.say([]byte{1}) }, false},
		{"data instead of a hello", func(e *enemy) { e.packet(plainData) }, false},
		{"descriptors instead of a hello", func(e *enemy) { e.packet(withRecords(1, 1, e.own())) }, false},
		{"ready instead of a hello", func(e *enemy) { e.ready() }, false},
		{"a server's hello", func(e *enemy) {
			e.hello(sock.Stream, func(p *wire.Packet, _ *wire.HelloBody) { p.Flags = wire.FromServer })
		}, false},
		{"a window of nothing", func(e *enemy) {
			e.hello(sock.Stream, func(_ *wire.Packet, h *wire.HelloBody) { h.Window = 0 })
		}, false},
		{"a window of 4 GiB", func(e *enemy) {
			e.hello(sock.Stream, func(_ *wire.Packet, h *wire.HelloBody) { h.Window = 1<<32 - 1 })
		}, false},
		{"a type that does not exist", func(e *enemy) { e.hello(77, nil) }, false},
		{"hello twice", func(e *enemy) { e.hello(sock.Stream, nil); e.hello(sock.Stream, nil) }, true},
		{"descriptors before ready", func(e *enemy) {
			e.hello(sock.Stream, nil)
			e.packet(withRecords(1, 1, e.own()))
		}, true},
		{"a ready that is too long", func(e *enemy) {
			e.hello(sock.Stream, nil)
			e.packet(wire.Packet{Type: wire.Ready, Payload: []byte{1, 2}})
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaktest.Check(t)
			l, path := listen(t, sock.Stream, 0)
			pipe, err := newClient(context.Background(), path, sock.Stream)
			if err != nil {
				t.Fatal(err)
			}
			defer pipe.Close()
			e := &enemy{t: t, pipe: pipe, file: uint64(file(t).Value)}
			tt.do(e)
			if tt.accepted {
				conn, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				ends(t, conn.(*endpoint.Conn), "")
				return
			}
			e.untilHungUp()
			good := dial(t, sock.Stream, path)
			send(t, good, "the first that is accepted")
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			recv(t, conn.(*endpoint.Conn), "the first that is accepted", 0)
		})
	}
}

// A hostile server: Dial says EPROTO, or the connection ends with it.
func TestP7HostileServer(t *testing.T) {
	hello := func(e *enemy, change func(*wire.Packet, *wire.HelloBody)) {
		e.hello(sock.Stream, func(p *wire.Packet, h *wire.HelloBody) {
			p.Flags = wire.FromServer
			h.Ability = uint8(rights.CanPull)
			if change != nil {
				change(p, h)
			}
		})
	}
	for _, tt := range []struct {
		name string
		do   func(e *enemy)
		dial bool // Dial fails
	}{
		{"nonsense", func(e *enemy) { e.say([]byte("220 mail.example.org ESMTP\r\n")) }, true},
		{"a few bytes", func(e *enemy) { e.say([]byte("hi")) }, true},
		{"a packet that is too large", func(e *enemy) { e.say(make([]byte, 65536)) }, true},
		{"a client's hello", func(e *enemy) { e.hello(sock.Stream, nil) }, true},
		{"data instead of a hello", func(e *enemy) { e.packet(plainData) }, true},
		{"a status that does not exist", func(e *enemy) { hello(e, func(_ *wire.Packet, h *wire.HelloBody) { h.Status = 99 }) }, true},
		{"a window out of range", func(e *enemy) { hello(e, func(_ *wire.Packet, h *wire.HelloBody) { h.Window = 1 }) }, true},
		{"ready", func(e *enemy) { hello(e, nil); e.ready() }, false},
		{"a second hello", func(e *enemy) { hello(e, nil); hello(e, nil) }, false},
		{"values in the client's table, which does not trust it", func(e *enemy) {
			hello(e, nil)
			r := e.own()
			r.Owner = wire.Receiver
			e.packet(withRecords(1, 1, r))
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				s, c := newFakePipe(kinship{opens, rights.CanPull, false}, r.serverProc, r.clientProc)
				defer s.Close()
				tt.do(&enemy{t: t, pipe: s, file: uint64(r.open(r.serverProc, descriptor.File, 1)[0].Value)})
				conn, err := endpoint.Dial(context.Background(), c, r.config(r.clientProc, sock.Stream))
				if tt.dial {
					if !errors.Is(err, syscall.EPROTO) {
						t.Errorf("%v, want EPROTO", err)
					}
					if !c.isClosed() {
						t.Error("the pipe is open")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				ends(t, conn, "")
			})
		})
	}
}

// A peer that lies after a descriptor of ours is under way: the send says EPIPE beside its length, since nobody knows what that peer has
// taken (P3), and its copies are released.
func TestP7PeerLiesWhileASendWaits(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		sent := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil) })
		r.pending(sent, "a send that nobody acknowledges")
		inject(t, r.serverPipe, wire.Packet{Type: wire.Ack, Serial: 2})
		if o := <-sent; o.n != 1 || o.err != syscall.EPIPE {
			t.Errorf("%+v", o)
		}
		synctest.Wait()
		if got := r.extra(r.clientProc); got != 0 {
			t.Errorf("%d copies are parked", got)
		}
		if _, err := r.client.Read(make([]byte, 9)); !errors.Is(err, syscall.EPROTO) {
			t.Errorf("%v, want EPROTO", err)
		}
	})
}

// Nothing comes after a goodbye, and no data after the end of writing.
func TestP7DataAfterTheEnd(t *testing.T) {
	for name, last := range map[string]wire.Packet{
		"goodbye":  {Type: wire.Bye},
		"shutdown": {Type: wire.Shutdown, Flags: wire.ShutWrite},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				inject(t, r.clientPipe, last)
				buf := make([]byte, 9)
				if n, err := r.server.Read(buf); n != 0 || fmt.Sprint(err) != "EOF" {
					t.Errorf("%d, %v", n, err)
				}
				inject(t, r.clientPipe, plainData)
				synctest.Wait()
				if n, err := r.server.Read(buf); n != 0 || err == nil {
					t.Errorf("%q, %v after the end", buf[:n], err)
				}
			})
		})
	}
}
