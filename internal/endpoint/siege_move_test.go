package endpoint_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// What fuzzing has found of ends that move.

// besieged is a stream with a user at one end and the enemy at the other.
func besieged(t *testing.T, test func(s *siege, c *endpoint.Conn)) {
	defer alarmed()()
	synctest.Test(t, func(t *testing.T) {
		s := newSiege(t, new(script), sock.Stream, pulls)
		defer s.end()
		door := s.door(s.open(descriptor.UnixListener), s.typ)
		l := endpoint.Listen(door, s.config(s.typ), 0)
		s.has(l)
		s.greet(door.knock())
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s.has(c)
		synctest.Wait()
		test(s, c.(*endpoint.Conn))
	})
}

// alarmed ends the test when a bubble never comes to rest: something turns in circles, and its time
// does not go on. The caller calls what it returns.
func alarmed() (stop func() bool) {
	return time.AfterFunc(20*time.Second, func() { panic("something turns in circles") }).Stop
}

// An end that is sent over itself, and is the guest of its own connection therefore, waits for the
// peer without waking itself all the time.
func TestAnEndThatIsSentOverItselfWaits(t *testing.T) {
	besieged(t, func(s *siege, c *endpoint.Conn) {
		begin := time.Now()
		s.send(s.things[1], 1, []transport.File{{End: c}}, false) // nobody acknowledges anything
		if took := time.Since(begin); took != patient {
			t.Errorf("it gave up after %v; want %v", took, patient)
		}
	})
}

// A Read that waits on the pipe itself when its end begins to move leaves that to the mover, who
// waits for what it brings.
func TestReadThatHasThePipeLeavesItToTheMover(t *testing.T) {
	besieged(t, func(s *siege, carrier *endpoint.Conn) {
		m := s.doors[0].knock()
		s.greet(m)
		c, err := s.things[0].listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s.has(c)
		var read <-chan outcome
		for i := range 4 { // the reader rests when a Read that waited has been served
			read = start(func() (int, error) { return c.Read(make([]byte, 9)) })
			synctest.Wait()
			if i == 3 {
				break
			}
			s.say(m, wire.Packet{Type: wire.Data, Payload: make([]byte, 1)})
			if o := <-read; o.n != 1 || o.err != nil {
				t.Fatalf("%+v", o)
			}
		}
		carrier.SetDeadline(time.Now().Add(time.Minute))
		sent := start(func() (int, error) { return carrier.Send([]byte("x"), []transport.File{{End: c}}, nil) })
		for _, m := range []*mouth{m, s.mouths[0]} { // the Move, and the message
			synctest.Wait()
			s.script.rest = []byte{acknowledging}
			s.listen(m)
		}
		if o := <-sent; o.n != 1 || o.err != nil || o.at > patient {
			t.Errorf("sent: %+v", o)
		}
		if o := <-read; o.err != net.ErrClosed {
			t.Errorf("read: %+v, want net.ErrClosed", o)
		}
	})
}

// P7: a datagram socket with a link that has datagrams which its queue knows nothing of is refused,
// whatever of it has been made.
func TestP7LuggageWithDatagramsOfNobody(t *testing.T) {
	link := sock.ConnState{
		End:      sock.EndState{Type: sock.Datagram, Local: "@", Remote: "@"},
		In:       sock.InboxState{Window: sock.DefaultWindow, Arrived: 1 << 20, RightsWindow: 1, RightsGranted: 1},
		Segments: []sock.Segment{{}},
		Out:      sock.OutboxState{Buffer: sock.DefaultBuffer},
		Link:     sock.LinkState{Offers: []uint64{1}},
	}
	listener := sock.ListenerState{Type: sock.Datagram, Clients: 1}
	for name, tt := range map[string]struct {
		states []byte
		ends   []descriptor.Kind
		says   string
	}{
		"a link": {
			wire.AppendConn(wire.AppendPacket(nil, &sock.PacketState{Buffer: sock.DefaultBuffer, Links: 1}), &link),
			[]descriptor.Kind{descriptor.Unix}, "a link with 1 datagrams, of which 0 are queued and 1 wait",
		},
		"a client of its listener": {
			wire.AppendConn(wire.AppendListener(wire.AppendPacket(nil, &sock.PacketState{Buffer: sock.DefaultBuffer, Listens: true}), &listener), &link),
			[]descriptor.Kind{descriptor.UnixListener, descriptor.Unix}, "a link that nobody has taken in",
		},
	} {
		t.Run(name, func(t *testing.T) {
			besieged(t, func(s *siege, c *endpoint.Conn) {
				m := s.mouths[0]
				luggage := wire.Packet{Type: wire.Data, Flags: wire.Luggage, Serial: 1, Payload: tt.states}
				for _, k := range tt.ends {
					luggage.Ancillary = s.newEnd(m, k).Append(luggage.Ancillary)
					luggage.Records++
				}
				s.say(m, luggage)
				s.say(m, withRecords(1, 1, wire.Record{Kind: uint8(descriptor.Unix), Owner: wire.End}))
				ends(s.t, c, "record 0: bad record: "+tt.says)
			})
		})
	}
}
