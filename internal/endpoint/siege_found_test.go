package endpoint_test

import (
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// What fuzzing has found.

// besieged is a stream with a user at one end and the enemy at the other.
func besieged(t *testing.T, test func(s *siege, c *endpoint.Conn)) {
	watchdog := time.AfterFunc(20*time.Second, func() { panic("something turns in circles: time does not go on in the bubble") })
	defer watchdog.Stop()
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

// An end that is sent over itself, and is the guest of its own connection therefore, waits for the peer without waking itself all the time.
func TestAnEndThatIsSentOverItselfWaits(t *testing.T) {
	besieged(t, func(s *siege, c *endpoint.Conn) {
		begin := time.Now()
		s.send(s.things[1], 1, []transport.File{{End: c}}, false) // nobody acknowledges anything
		if took := time.Since(begin); took != patient {
			t.Errorf("it gave up after %v; want %v", took, patient)
		}
	})
}

// P7: a socket whose links are said to have datagrams waiting that its queue knows nothing of is refused, whatever of it has been made.
func TestP7LuggageWithDatagramsOfNobody(t *testing.T) {
	besieged(t, func(s *siege, c *endpoint.Conn) {
		m := s.mouths[0]
		link := wire.ConnState{
			SocketType: uint8(sock.Datagram), Local: "@", Remote: "@", Buffer: sock.DefaultBuffer, InWindow: sock.DefaultWindow,
			Arrived: 1 << 20, RightsWindow: 1, RightsGranted: 1, Segments: []wire.Segment{{}}, Offers: []uint64{1},
		}
		luggage := withRecords(1, 1, s.newEnd(m, descriptor.Unix))
		luggage.Flags, luggage.Payload = wire.Luggage, link.Append((&wire.PacketState{Buffer: sock.DefaultBuffer, Links: 1}).Append(nil))
		s.say(m, luggage)
		s.say(m, withRecords(1, 1, wire.Record{Kind: uint8(descriptor.Unix), Owner: wire.End}))
		ends(t, c, "record 0: bad record: a link with 1 datagrams, of which 0 are queued and 1 wait")
	})
}
