package endpoint_test

import (
	"slices"
	"strings"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// States of ends that parse, and in which no end can be: the unpacker, sock.RestoreInbox and sock.RestoreOutbox. Whoever says them really
// hands over an end, or what listens.

// impossible is why a state is refused by package sock.
const impossible = "record 0: bad record: protocol error: a state in which no socket can be"

// aConn is the state of a connection that nothing is wrong with, changed by change.
func aConn(change func(s *wire.ConnState)) *wire.ConnState {
	s := &wire.ConnState{
		SocketType: uint8(sock.Stream), Flags: wire.ConnServer, ID: 1, PeerID: 2, Local: "@", Remote: "@",
		InWindow: sock.DefaultWindow, RightsGranted: sock.RightsWindow, RightsWindow: sock.RightsWindow, Buffer: sock.DefaultBuffer,
		Writers: []wire.Writer{{PID: 1, UID: 1, GID: 1}},
	}
	if change != nil {
		change(s)
	}
	return s
}

// aLink is that of a link on which datagrams have come.
func aLink(queued int, offers ...uint64) func(*wire.ConnState) {
	return func(s *wire.ConnState) {
		s.SocketType, s.Queued, s.Offers = uint8(sock.Datagram), uint32(queued), offers
		for range queued + len(offers) {
			s.Segments = append(s.Segments, wire.Segment{Data: []byte("x")})
		}
		s.Arrived = uint64(len(s.Segments)) * sock.Cost(1)
	}
}

// conn sends a connection in a state that is changed by change, with records of the enemy's file behind it.
func conn(change func(s *wire.ConnState), files int) func(*enemy) {
	return func(e *enemy) {
		e.moves(aConn(change).Append(nil), e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]), slices.Repeat([]wire.Record{e.own()}, files)...)
	}
}

var connsThatCannotBe = map[string]attack{
	"a type that does not exist":     {says: "record 0: bad record: the state of a connection of type 3", do: conn(func(s *wire.ConnState) { s.SocketType = 3 }, 0)},
	"read before it came":            {says: impossible, do: conn(func(s *wire.ConnState) { s.Consumed = 1 }, 0)},
	"credited before it was read":    {says: impossible, do: conn(func(s *wire.ConnState) { s.Reported = 1 }, 0)},
	"descriptors before any grant":   {says: impossible, do: conn(func(s *wire.ConnState) { s.RightsArrived = sock.RightsWindow + 1 }, 0)},
	"a grant beyond the bound":       {says: impossible, do: conn(func(s *wire.ConnState) { s.RightsGranted = sock.RightsWindow + 1 }, 0)},
	"a grant that will be beyond it": {says: impossible, do: conn(func(s *wire.ConnState) { s.RightsWindow = sock.RightsWindow + 1 }, 0)},
	"counts of descriptors that wrap": {says: impossible, do: conn(func(s *wire.ConnState) {
		s.RightsConsumed, s.RightsArrived, s.RightsGranted = 1<<64-1-sock.RightsWindow, 1<<64-1, 1<<64-1
	}, 0)},
	"counts of bytes that wrap":    {says: impossible, do: conn(func(s *wire.ConnState) { s.Reported, s.Consumed, s.Arrived = 1<<64-2, 1<<64-2, 1<<64-1 }, 0)},
	"a window that is too small":   {says: impossible, do: conn(func(s *wire.ConnState) { s.InWindow = sock.MinWindow - 1 }, 0)},
	"a window that is too large":   {says: impossible, do: conn(func(s *wire.ConnState) { s.InWindow = sock.MaxWindow + 1 }, 0)},
	"a message that is too long":   {says: impossible, do: conn(func(s *wire.ConnState) { s.Message = sock.MaxLuggage + 1 }, 0)},
	"too many pieces":              {says: impossible, do: conn(func(s *wire.ConnState) { s.Pieces = 1<<32 - 1 }, 0)},
	"credit for what was not sent": {says: impossible, do: conn(func(s *wire.ConnState) { s.SentConsumed = 1 }, 0)},
	"a buffer that is too large":   {says: impossible, do: conn(func(s *wire.ConnState) { s.Buffer = 1<<32 - 1 }, 0)},
	"a serial number that wraps":   {says: impossible, do: conn(func(s *wire.ConnState) { s.Serial = 1<<64 - 1 }, 0)},
	"sent bytes that wrap":         {says: impossible, do: conn(func(s *wire.ConnState) { s.Sent, s.SentConsumed = 1<<64-1, 1<<64-1 }, 0)},
	"sent descriptors that wrap":   {says: impossible, do: conn(func(s *wire.ConnState) { s.RightsSent, s.RightsLimit = 1<<64-1, 1<<64-1 }, 0)},
	"a queue without cost":         {says: impossible, do: conn(func(s *wire.ConnState) { s.Segments = []wire.Segment{{Data: []byte("x")}} }, 0)},
	"a segment of nothing":         {says: impossible, do: conn(func(s *wire.ConnState) { s.Arrived, s.Segments = 1000, []wire.Segment{{}} }, 0)},
	"a piece on a stream": {says: impossible, do: conn(func(s *wire.ConnState) {
		s.Arrived, s.Segments = 1000, []wire.Segment{{Data: []byte("x"), Flags: wire.SegmentMore}}
	}, 0)},
	"a piece of nothing": {says: impossible, do: conn(func(s *wire.ConnState) {
		s.SocketType, s.Arrived, s.Segments = uint8(sock.Seqpacket), 1000, []wire.Segment{{Data: []byte("x"), Flags: wire.SegmentContinued}}
	}, 0)},
	"a queue that is too long": {says: "record 0: bad record: a queue of 200000 segments", do: conn(func(s *wire.ConnState) {
		s.Arrived, s.Segments = 1<<40, slices.Repeat([]wire.Segment{{Data: []byte("x")}}, 200000)
	}, 0)},
	"bytes of somebody else": {says: "record 0: bad record: bytes of writer 2 of 1", do: conn(func(s *wire.ConnState) {
		s.Arrived, s.Segments = 1000, []wire.Segment{{Data: []byte("x"), Writer: 2}}
	}, 0)},
	"bytes of nobody that is known": {says: "record 0: bad record: bytes of writer 4294967295 of 1", do: conn(func(s *wire.ConnState) {
		s.Arrived, s.Segments = 1000, []wire.Segment{{Data: []byte("x"), Writer: 1<<32 - 1}}
	}, 0)},
	"more writers than there can be": {says: "record 0: bad record: 70000 writers", do: conn(func(s *wire.ConnState) { s.Writers = slices.Repeat(s.Writers, 70000) }, 0)},
	"descriptors that did not come": {says: "record 0: bad record: 2 descriptors where 3 were announced", do: conn(func(s *wire.ConnState) {
		s.Arrived, s.RightsArrived, s.Segments = 1000, 3, []wire.Segment{{Data: []byte("x"), Rights: 3}}
	}, 2)},
	"descriptors that nobody was granted": {says: impossible, do: conn(func(s *wire.ConnState) {
		s.Arrived, s.Segments = 1000, []wire.Segment{{Data: []byte("x"), Rights: 2}}
	}, 2)},
	"descriptors that belong to nothing": {says: "bad record: 2 descriptors and 0 bytes of luggage that belong to nothing", do: conn(nil, 2)},
	"bytes that belong to nothing": {says: "bad record: 0 descriptors and 5 bytes of luggage that belong to nothing", do: func(e *enemy) {
		e.moves(append(aConn(nil).Append(nil), "bytes"...), e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
	}},
	"a name that is too long":                              {says: "record 0: bad record: a name of 109 bytes", do: conn(func(s *wire.ConnState) { s.Chosen = strings.Repeat("x", 109) }, 0)},
	"a connection that waits for a hello and has heard it": {says: "record 0: bad record: the state of a connection that waits for a hello, and has heard it", do: conn(func(s *wire.ConnState) { s.Flags |= wire.ConnDeferred }, 0)},
	"a stream that has lost its peer":                      {says: "record 0: bad record: a connection of type 1 that has lost its peer", do: conn(func(s *wire.ConnState) { s.Flags |= wire.ConnApart }, 0)},
	"a seqpacket that has lost its peer":                   {says: "record 0: bad record: a connection of type 5 that has lost its peer", do: conn(func(s *wire.ConnState) { s.SocketType, s.Flags = uint8(sock.Seqpacket), wire.ConnApart }, 0)},
	"what waits for the queue, on a stream":                {says: "record 0: bad record: 1 datagrams that wait, of a connection", do: conn(func(s *wire.ConnState) { s.Offers = []uint64{1} }, 0)},
	"datagrams without a peer": {says: "record 0: bad record: datagrams of a socket that has lost its peer", do: conn(func(s *wire.ConnState) {
		aLink(1)(s)
		s.Flags |= wire.ConnApart
	}, 0)},
	"a descriptor in its queue that lies": {says: "record 0: record 1: bad record: something else than kind 11", do: func(e *enemy) {
		r := e.own()
		r.Kind = uint8(descriptor.Process)
		s := aConn(func(s *wire.ConnState) {
			s.Arrived, s.RightsArrived, s.Segments = 1000, 2, []wire.Segment{{Data: []byte("x"), Rights: 2}}
		})
		e.moves(s.Append(nil), e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]), e.own(), r)
	}},
}

func TestP7StatesInWhichNoConnectionCanBe(t *testing.T) {
	assail(t, on(sock.Stream, connsThatCannotBe))
}

// listener sends a listener in a state that is changed by change, with the states of clients behind it, each with an end.
func listener(change func(s *wire.ListenerState), clients ...[]byte) func(*enemy) {
	return func(e *enemy) {
		l := e.cargo(descriptor.UnixListener)
		s := wire.ListenerState{
			SocketType: uint8(sock.Stream), Backlog: 1, Local: "/tmp/s", Handles: uint8(len(l.values) - 1), Source: l.state, Clients: uint32(len(clients)),
		}
		var parts []wire.Record
		for _, v := range l.values[1:] {
			parts = append(parts, e.end(descriptor.UnixListener, v))
		}
		if change != nil {
			change(&s)
		}
		state := s.Append(nil)
		for _, c := range clients {
			state = append(state, c...)
			parts = append(parts, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
		}
		e.moves(state, e.end(descriptor.UnixListener, l.values[0]), parts...)
	}
}

var listenersThatCannotBe = map[string]attack{
	"a type that does not exist":  {says: "record 0: bad record: a listener of type 9", do: listener(func(s *wire.ListenerState) { s.SocketType = 9 })},
	"a listener for datagrams":    {says: "record 0: bad record: a listener of type 2", do: listener(func(s *wire.ListenerState) { s.SocketType = uint8(sock.Datagram) })},
	"too many handles":            {says: "record 0: bad record: a listener with 16 further descriptors and …", do: listener(func(s *wire.ListenerState) { s.Handles = 16 })},
	"handles that did not come":   {says: "record 0: bad record: …", do: listener(func(s *wire.ListenerState) { s.Handles += 3 })},
	"a source that is too long":   {says: "record 0: bad record: a listener with …", do: listener(func(s *wire.ListenerState) { s.Source = make([]byte, 4097) })},
	"a name that is too long":     {says: "record 0: bad record: a name of 109 bytes", do: listener(func(s *wire.ListenerState) { s.Local = strings.Repeat("x", 109) })},
	"clients that did not come":   {says: "record 0: bad record: 0 descriptors where 1 were announced", do: listener(func(s *wire.ListenerState) { s.Clients = 1<<32 - 1 })},
	"a client of another type":    {says: "record 0: bad record: a client of type 5 of a listener of type 1", do: listener(nil, aConn(func(s *wire.ConnState) { s.SocketType = uint8(sock.Seqpacket) }).Append(nil))},
	"a client that is a listener": {says: "record 0: bad record: state 2 of a client", do: listener(nil, new(wire.ListenerState).Append(nil))},
	"a client that cannot be":     {says: impossible, do: listener(nil, aConn(nil).Append(nil), aConn(func(s *wire.ConnState) { s.Buffer = 1 }).Append(nil))},
}

func TestP7StatesInWhichNoListenerCanBe(t *testing.T) {
	assail(t, on(sock.Stream, listenersThatCannotBe))
}

// packetConn sends a datagram socket in a state that is changed by change, with these links.
func packetConn(change func(s *wire.PacketState), links ...func(*wire.ConnState)) func(*enemy) {
	return func(e *enemy) {
		s := wire.PacketState{ID: 1, Buffer: sock.DefaultBuffer, Local: "@", Links: uint32(len(links))}
		if change != nil {
			change(&s)
		}
		state := s.Append(nil)
		var parts []wire.Record
		for _, link := range links {
			state = aConn(link).Append(state)
			parts = append(parts, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
		}
		e.moves(state, e.end(descriptor.Unix, 0), parts...)
	}
}

var packetConnsThatCannotBe = map[string]attack{
	"a descriptor of its own": {says: "record 0: bad record: state 3 of a descriptor of kind 7", do: func(e *enemy) {
		e.moves(emptyState, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
	}},
	"links that did not come":                                      {says: "record 0: bad record: 4294967295 links and 0 descriptors", do: packetConn(func(s *wire.PacketState) { s.Links = 1<<32 - 1 })},
	"a link that is a stream":                                      {says: "record 0: bad record: the state of a connection of type 1", do: packetConn(nil, nil)},
	"a link that has lost its peer":                                {says: "record 0: bad record: a connection of type 2 that has lost its peer", do: packetConn(nil, func(s *wire.ConnState) { aLink(0)(s); s.Flags |= wire.ConnApart })},
	"a listener that did not come":                                 {says: "record 0: bad record: state 1 where 2 was announced", do: packetConn(func(s *wire.PacketState) { s.Flags = wire.PacketListens }, aLink(0))},
	"datagrams of no link":                                         {says: "record 0: bad record: a datagram of link 0", do: packetConn(func(s *wire.PacketState) { s.Queue = []uint32{0} })},
	"datagrams of a link beyond":                                   {says: "record 0: bad record: a datagram of link 4294967295", do: packetConn(func(s *wire.PacketState) { s.Held = []uint32{1<<32 - 1} }, aLink(0))},
	"datagrams of the peer":                                        {says: "record 0: bad record: a datagram of link 0", do: packetConn(func(s *wire.PacketState) { s.Flags, s.Queue = wire.PacketPeer, []uint32{0} }, aLink(1))},
	"datagrams that are not there":                                 {says: "record 0: bad record: a link with 0 datagrams, of which 0 are queued and 0 wait", do: packetConn(func(s *wire.PacketState) { s.Queue = []uint32{0, 0} }, aLink(0))},
	"datagrams that nobody has lined up":                           {says: "record 0: bad record: a link with 3 datagrams, of which 2 are queued and 1 wait", do: packetConn(nil, aLink(2, 7))},
	"a datagram that waits and is not held":                        {says: "record 0: bad record: a link with 1 datagrams, of which 0 are queued and 1 wait", do: packetConn(nil, aLink(0, 7))},
	"a link that cannot be, behind one with a datagram that waits": {says: impossible, do: packetConn(nil, aLink(0, 7), func(s *wire.ConnState) { aLink(0)(s); s.Buffer = 0 })},
	"two datagrams that wait":                                      {says: "record 0: bad record: 2 datagrams that wait, of a link", do: packetConn(func(s *wire.PacketState) { s.Held = []uint32{0, 0} }, aLink(0, 7, 8))},
	"half a datagram":                                              {says: "record 0: bad record: a link with 0 datagrams, of which 1 are queued and 0 wait", do: packetConn(func(s *wire.PacketState) { s.Queue = []uint32{0} }, func(s *wire.ConnState) { aLink(1)(s); s.Segments[0].Flags = wire.SegmentMore })},
	"a name that is too long":                                      {says: "record 0: bad record: a name of 109 bytes", do: packetConn(func(s *wire.PacketState) { s.Bound = strings.Repeat("x", 109) })},
	"the name of a sender that is too long":                        {says: "record 0: bad record: a name of 109 bytes", do: packetConn(nil, func(s *wire.ConnState) { aLink(0)(s); s.Sender = strings.Repeat("x", 109) })},
	"clients that have sent before they were taken in": {says: "record 0: bad record: a link that nobody has taken in", do: func(e *enemy) {
		l := e.cargo(descriptor.UnixListener)
		s := wire.PacketState{ID: 1, Buffer: sock.DefaultBuffer, Local: "@", Flags: wire.PacketListens}
		ls := wire.ListenerState{SocketType: uint8(sock.Datagram), Backlog: 1, Local: "/tmp/s", Handles: uint8(len(l.values) - 1), Source: l.state, Clients: 1}
		parts := []wire.Record{e.end(descriptor.UnixListener, l.values[0])}
		for _, v := range l.values[1:] {
			parts = append(parts, e.end(descriptor.UnixListener, v))
		}
		parts = append(parts, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
		e.moves(aConn(aLink(0, 1, 2, 3)).Append(ls.Append(s.Append(nil))), e.end(descriptor.Unix, 0), parts...)
	}},
}

func TestP7StatesInWhichNoDatagramSocketCanBe(t *testing.T) {
	assail(t, on(sock.Stream, packetConnsThatCannotBe))
}
