package endpoint_test

import (
	"slices"
	"strings"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// States of ends that parse, and in which no end can be: package move and states.go,
// sock.RestoreInbox and sock.RestoreOutbox. Whoever says them really hands over an end, or what
// listens.

// impossible is why a state is refused by package sock.
const impossible = "record 0: bad record: protocol error: a state in which no socket can be"

// aConn is the state of a connection that nothing is wrong with, changed by change.
func aConn(change func(s *sock.ConnState)) *sock.ConnState {
	s := &sock.ConnState{
		End: sock.EndState{
			Type: sock.Stream, Server: true, ID: 1, PeerID: 2, Local: "@", Remote: "@",
			Writers: []sock.Writer{{PID: 1, UID: 1, GID: 1}},
		},
		In:  sock.InboxState{Window: sock.DefaultWindow, RightsGranted: sock.RightsWindow, RightsWindow: sock.RightsWindow},
		Out: sock.OutboxState{Buffer: sock.DefaultBuffer},
	}
	if change != nil {
		change(s)
	}
	return s
}

// theConn is that state as the mover says it.
func theConn(change func(s *sock.ConnState)) []byte { return wire.AppendConn(nil, aConn(change)) }

// aLink is that of a link on which datagrams have come.
func aLink(queued int, offers ...uint64) func(*sock.ConnState) {
	return func(s *sock.ConnState) {
		s.End.Type, s.Link.Queued, s.Link.Offers = sock.Datagram, uint32(queued), offers
		for range queued + len(offers) {
			s.Segments = append(s.Segments, sock.Segment{Data: []byte("x")})
		}
		s.In.Arrived = uint64(len(s.Segments)) * sock.Cost(1)
	}
}

// conn sends a connection in a state that is changed by change, with records of the enemy's file
// behind it.
func conn(change func(s *sock.ConnState), files int) func(*enemy) {
	return func(e *enemy) {
		e.moves(theConn(change), e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]), slices.Repeat([]wire.Record{e.own()}, files)...)
	}
}

var connsThatCannotBe = map[string]attack{
	"a type that does not exist":     {says: "record 0: bad record: the state of a connection of type 3", do: conn(func(s *sock.ConnState) { s.End.Type = 3 }, 0)},
	"read before it came":            {says: impossible, do: conn(func(s *sock.ConnState) { s.In.Consumed = 1 }, 0)},
	"credited before it was read":    {says: impossible, do: conn(func(s *sock.ConnState) { s.In.Reported = 1 }, 0)},
	"descriptors before any grant":   {says: impossible, do: conn(func(s *sock.ConnState) { s.In.RightsArrived = sock.RightsWindow + 1 }, 0)},
	"a grant beyond the bound":       {says: impossible, do: conn(func(s *sock.ConnState) { s.In.RightsGranted = sock.RightsWindow + 1 }, 0)},
	"a grant that will be beyond it": {says: impossible, do: conn(func(s *sock.ConnState) { s.In.RightsWindow = sock.RightsWindow + 1 }, 0)},
	"counts of descriptors that wrap": {says: impossible, do: conn(func(s *sock.ConnState) {
		s.In.RightsConsumed, s.In.RightsArrived, s.In.RightsGranted = 1<<64-1-sock.RightsWindow, 1<<64-1, 1<<64-1
	}, 0)},
	"counts of bytes that wrap":    {says: impossible, do: conn(func(s *sock.ConnState) { s.In.Reported, s.In.Consumed, s.In.Arrived = 1<<64-2, 1<<64-2, 1<<64-1 }, 0)},
	"a window that is too small":   {says: impossible, do: conn(func(s *sock.ConnState) { s.In.Window = sock.MinWindow - 1 }, 0)},
	"a window that is too large":   {says: impossible, do: conn(func(s *sock.ConnState) { s.In.Window = sock.MaxWindow + 1 }, 0)},
	"a message that is too long":   {says: impossible, do: conn(func(s *sock.ConnState) { s.In.Message = sock.MaxLuggage + 1 }, 0)},
	"too many pieces":              {says: impossible, do: conn(func(s *sock.ConnState) { s.In.Pieces = 1<<32 - 1 }, 0)},
	"credit for what was not sent": {says: impossible, do: conn(func(s *sock.ConnState) { s.Out.Consumed = 1 }, 0)},
	"a buffer that is too large":   {says: impossible, do: conn(func(s *sock.ConnState) { s.Out.Buffer = 1<<32 - 1 }, 0)},
	"a serial number that wraps":   {says: impossible, do: conn(func(s *sock.ConnState) { s.Out.Serial = 1<<64 - 1 }, 0)},
	"sent bytes that wrap":         {says: impossible, do: conn(func(s *sock.ConnState) { s.Out.Sent, s.Out.Consumed = 1<<64-1, 1<<64-1 }, 0)},
	"sent descriptors that wrap":   {says: impossible, do: conn(func(s *sock.ConnState) { s.Out.RightsSent, s.Out.RightsLimit = 1<<64-1, 1<<64-1 }, 0)},
	"a queue without cost":         {says: impossible, do: conn(func(s *sock.ConnState) { s.Segments = []sock.Segment{{Data: []byte("x")}} }, 0)},
	"a segment of nothing":         {says: impossible, do: conn(func(s *sock.ConnState) { s.In.Arrived, s.Segments = 1000, []sock.Segment{{}} }, 0)},
	"a piece on a stream": {says: impossible, do: conn(func(s *sock.ConnState) {
		s.In.Arrived, s.Segments = 1000, []sock.Segment{{Data: []byte("x"), More: true}}
	}, 0)},
	"a piece of nothing": {says: impossible, do: conn(func(s *sock.ConnState) {
		s.End.Type, s.In.Arrived, s.Segments = sock.Seqpacket, 1000, []sock.Segment{{Data: []byte("x"), Continued: true}}
	}, 0)},
	"a queue that is too long": {says: "record 0: bad record: malformed packet: luggage ends early, or has a text, a flag or a list that cannot be", do: conn(func(s *sock.ConnState) {
		s.In.Arrived, s.Segments = 1<<40, slices.Repeat([]sock.Segment{{Data: []byte("x")}}, 200000)
	}, 0)},
	"bytes of somebody else": {says: "record 0: bad record: bytes of writer 2 of 1", do: conn(func(s *sock.ConnState) {
		s.In.Arrived, s.Segments = 1000, []sock.Segment{{Data: []byte("x"), Creds: 2}}
	}, 0)},
	"bytes of nobody that is known": {says: "record 0: bad record: bytes of writer 4294967295 of 1", do: conn(func(s *sock.ConnState) {
		s.In.Arrived, s.Segments = 1000, []sock.Segment{{Data: []byte("x"), Creds: 1<<32 - 1}}
	}, 0)},
	"more writers than there can be": {says: "record 0: bad record: 70000 writers", do: conn(func(s *sock.ConnState) { s.End.Writers = slices.Repeat(s.End.Writers, 70000) }, 0)},
	"descriptors that did not come": {says: "record 0: bad record: 2 descriptors where 3 were announced", do: conn(func(s *sock.ConnState) {
		s.In.Arrived, s.In.RightsArrived, s.Segments = 1000, 3, []sock.Segment{{Data: []byte("x"), Rights: wire.Announced(3)}}
	}, 2)},
	"descriptors that nobody was granted": {says: impossible, do: conn(func(s *sock.ConnState) {
		s.In.Arrived, s.Segments = 1000, []sock.Segment{{Data: []byte("x"), Rights: wire.Announced(2)}}
	}, 2)},
	"descriptors that belong to nothing": {says: "bad record: 2 descriptors and 0 bytes of luggage that belong to nothing", do: conn(nil, 2)},
	"bytes that belong to nothing": {says: "bad record: 0 descriptors and 5 bytes of luggage that belong to nothing", do: func(e *enemy) {
		e.moves(append(theConn(nil), "bytes"...), e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
	}},
	"a name that is too long":                              {says: "record 0: bad record: a name of 109 bytes", do: conn(func(s *sock.ConnState) { s.End.Chosen = strings.Repeat("x", 109) }, 0)},
	"a connection that waits for a hello and has heard it": {says: "record 0: bad record: the state of a connection that waits for a hello, and has heard it", do: conn(func(s *sock.ConnState) { s.Moves.Waits = true }, 0)},
	"a stream that has lost its peer":                      {says: "record 0: bad record: a connection of type 1 that has lost its peer", do: conn(func(s *sock.ConnState) { s.Out.Peer = sock.Apart }, 0)},
	"a seqpacket that has lost its peer":                   {says: "record 0: bad record: a connection of type 5 that has lost its peer", do: conn(func(s *sock.ConnState) { s.End.Type, s.End.Server, s.Out.Peer = sock.Seqpacket, false, sock.Apart }, 0)},
	"what waits for the queue, on a stream":                {says: "record 0: bad record: 1 datagrams that wait, of a connection", do: conn(func(s *sock.ConnState) { s.Link.Offers = []uint64{1} }, 0)},
	"datagrams without a peer": {says: "record 0: bad record: datagrams of a socket that has lost its peer", do: conn(func(s *sock.ConnState) {
		aLink(1)(s)
		s.Out.Peer = sock.Apart
	}, 0)},
	"a descriptor in its queue that lies": {says: "record 0: record 1: bad record: something else than kind 11", do: func(e *enemy) {
		r := e.own()
		r.Kind = uint8(descriptor.Process)
		s := theConn(func(s *sock.ConnState) {
			s.In.Arrived, s.In.RightsArrived, s.Segments = 1000, 2, []sock.Segment{{Data: []byte("x"), Rights: wire.Announced(2)}}
		})
		e.moves(s, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]), e.own(), r)
	}},
}

func TestP7StatesInWhichNoConnectionCanBe(t *testing.T) {
	assail(t, on(sock.Stream, connsThatCannotBe))
}

// listener sends a listener in a state that is changed by change, with the states of clients behind
// it, each with an end.
func listener(change func(s *sock.ListenerState), clients ...[]byte) func(*enemy) {
	return func(e *enemy) {
		l := e.cargo(descriptor.UnixListener)
		s := sock.ListenerState{
			Type: sock.Stream, Backlog: 1, Local: "/tmp/s", Handles: uint8(len(l.values) - 1), Source: l.state, Clients: uint32(len(clients)),
		}
		var parts []wire.Record
		for _, v := range l.values[1:] {
			parts = append(parts, e.end(descriptor.UnixListener, v))
		}
		if change != nil {
			change(&s)
		}
		state := wire.AppendListener(nil, &s)
		for _, c := range clients {
			state = append(state, c...)
			parts = append(parts, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
		}
		e.moves(state, e.end(descriptor.UnixListener, l.values[0]), parts...)
	}
}

var listenersThatCannotBe = map[string]attack{
	"a type that does not exist":  {says: "record 0: bad record: a listener of type 9", do: listener(func(s *sock.ListenerState) { s.Type = 9 })},
	"a listener for datagrams":    {says: "record 0: bad record: a listener of type 2", do: listener(func(s *sock.ListenerState) { s.Type = sock.Datagram })},
	"too many handles":            {says: "record 0: bad record: a listener with 250 further descriptors and …", do: listener(func(s *sock.ListenerState) { s.Handles = pipe.MaxHandles })},
	"handles that did not come":   {says: "record 0: bad record: …", do: listener(func(s *sock.ListenerState) { s.Handles += 3 })},
	"a source that is too long":   {says: "record 0: bad record: a listener with …", do: listener(func(s *sock.ListenerState) { s.Source = make([]byte, 4097) })},
	"a name that is too long":     {says: "record 0: bad record: a name of 109 bytes", do: listener(func(s *sock.ListenerState) { s.Local = strings.Repeat("x", 109) })},
	"clients that did not come":   {says: "record 0: bad record: 0 descriptors where 1 were announced", do: listener(func(s *sock.ListenerState) { s.Clients = 1<<32 - 1 })},
	"a client of another type":    {says: "record 0: bad record: a client of type 5 of a listener of type 1", do: listener(nil, theConn(func(s *sock.ConnState) { s.End.Type = sock.Seqpacket }))},
	"a client that is a listener": {says: "record 0: bad record: state 2 of a client", do: listener(nil, wire.AppendListener(nil, new(sock.ListenerState)))},
	"a client that cannot be":     {says: impossible, do: listener(nil, theConn(nil), theConn(func(s *sock.ConnState) { s.Out.Buffer = 1 }))},
}

func TestP7StatesInWhichNoListenerCanBe(t *testing.T) {
	assail(t, on(sock.Stream, listenersThatCannotBe))
}

// packetConn sends a datagram socket in a state that is changed by change, with these links.
func packetConn(change func(s *sock.PacketState), links ...func(*sock.ConnState)) func(*enemy) {
	return func(e *enemy) {
		s := sock.PacketState{ID: 1, Buffer: sock.DefaultBuffer, Local: "@", Links: uint32(len(links))}
		if change != nil {
			change(&s)
		}
		state := wire.AppendPacket(nil, &s)
		var parts []wire.Record
		for _, link := range links {
			state = append(state, theConn(link)...)
			parts = append(parts, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
		}
		e.moves(state, e.end(descriptor.Unix, 0), parts...)
	}
}

var packetConnsThatCannotBe = map[string]attack{
	"a descriptor of its own": {says: "record 0: bad record: state 3 of a descriptor of kind 7", do: func(e *enemy) {
		e.moves(emptyState, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
	}},
	"links that did not come":                                      {says: "record 0: bad record: 4294967295 links and 0 descriptors", do: packetConn(func(s *sock.PacketState) { s.Links = 1<<32 - 1 })},
	"a link that is a stream":                                      {says: "record 0: bad record: the state of a connection of type 1", do: packetConn(nil, nil)},
	"a link that has lost its peer":                                {says: "record 0: bad record: a connection of type 2 that has lost its peer", do: packetConn(nil, func(s *sock.ConnState) { aLink(0)(s); s.Out.Peer = sock.Apart })},
	"a listener that did not come":                                 {says: "record 0: bad record: state 1 where 2 was announced", do: packetConn(func(s *sock.PacketState) { s.Listens = true }, aLink(0))},
	"datagrams of no link":                                         {says: "record 0: bad record: a datagram of link 0", do: packetConn(func(s *sock.PacketState) { s.Order.Queue = []uint32{0} })},
	"datagrams of a link beyond":                                   {says: "record 0: bad record: a datagram of link 4294967295", do: packetConn(func(s *sock.PacketState) { s.Order.Held = []uint32{1<<32 - 1} }, aLink(0))},
	"datagrams of the peer":                                        {says: "record 0: bad record: a datagram of link 0", do: packetConn(func(s *sock.PacketState) { s.PeerLink, s.Order.Queue = true, []uint32{0} }, aLink(1))},
	"datagrams that are not there":                                 {says: "record 0: bad record: a link with 0 datagrams, of which 0 are queued and 0 wait", do: packetConn(func(s *sock.PacketState) { s.Order.Queue = []uint32{0, 0} }, aLink(0))},
	"datagrams that nobody has lined up":                           {says: "record 0: bad record: a link with 3 datagrams, of which 2 are queued and 1 wait", do: packetConn(nil, aLink(2, 7))},
	"a datagram that waits and is not held":                        {says: "record 0: bad record: a link with 1 datagrams, of which 0 are queued and 1 wait", do: packetConn(nil, aLink(0, 7))},
	"a link that cannot be, behind one with a datagram that waits": {says: impossible, do: packetConn(nil, aLink(0, 7), func(s *sock.ConnState) { aLink(0)(s); s.Out.Buffer = 0 })},
	"two datagrams that wait":                                      {says: "record 0: bad record: 2 datagrams that wait, of a link", do: packetConn(func(s *sock.PacketState) { s.Order.Held = []uint32{0, 0} }, aLink(0, 7, 8))},
	"half a datagram":                                              {says: "record 0: bad record: a link with 0 datagrams, of which 1 are queued and 0 wait", do: packetConn(func(s *sock.PacketState) { s.Order.Queue = []uint32{0} }, func(s *sock.ConnState) { aLink(1)(s); s.Segments[0].More = true })},
	"a name that is too long":                                      {says: "record 0: bad record: a name of 109 bytes", do: packetConn(func(s *sock.PacketState) { s.Bound = strings.Repeat("x", 109) })},
	"the name of a sender that is too long":                        {says: "record 0: bad record: a name of 109 bytes", do: packetConn(nil, func(s *sock.ConnState) { aLink(0)(s); s.Link.Sender = strings.Repeat("x", 109) })},
	"clients that have sent before they were taken in": {says: "record 0: bad record: a link that nobody has taken in", do: func(e *enemy) {
		l := e.cargo(descriptor.UnixListener)
		s := sock.PacketState{ID: 1, Buffer: sock.DefaultBuffer, Local: "@", Listens: true}
		ls := sock.ListenerState{Type: sock.Datagram, Backlog: 1, Local: "/tmp/s", Handles: uint8(len(l.values) - 1), Source: l.state, Clients: 1}
		parts := []wire.Record{e.end(descriptor.UnixListener, l.values[0])}
		for _, v := range l.values[1:] {
			parts = append(parts, e.end(descriptor.UnixListener, v))
		}
		parts = append(parts, e.end(descriptor.Unix, e.cargo(descriptor.Unix).values[0]))
		e.moves(append(wire.AppendListener(wire.AppendPacket(nil, &s), &ls), theConn(aLink(0, 1, 2, 3))...), e.end(descriptor.Unix, 0), parts...)
	}},
}

func TestP7StatesInWhichNoDatagramSocketCanBe(t *testing.T) {
	assail(t, on(sock.Stream, packetConnsThatCannotBe))
}
