package endpoint

import (
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about states of ends that parse, and in which no end can be. What their numbers say, package sock checks when it makes the
// two halves.

// checkConn says what is wrong with the state of a connection, or of a link.
func checkConn(s *wire.ConnState, link bool) error {
	switch t := sock.Type(s.SocketType); {
	case !t.Valid(), link && t != sock.Datagram:
		return badLuggage("the state of a connection of type %d", t)
	case s.Flags&wire.ConnDeferred != 0 && s.Flags&wire.ConnShifting == 0:
		return badLuggage("the state of a connection that waits for a hello, and has heard it")
	case s.Flags&wire.ConnApart != 0: // one of datagrams that has is a PacketConn by now
		return badLuggage("a connection of type %d that has lost its peer", t)
	case len(s.Writers) > maxWriters:
		return badLuggage("%d writers", len(s.Writers))
	case len(s.Segments) > sock.MaxSegments:
		return badLuggage("a queue of %d segments", len(s.Segments))
	case !link && len(s.Offers) > 0:
		return badLuggage("%d datagrams that wait, of a connection", len(s.Offers))
	case len(s.Offers) > sock.MaxOffers:
		return badLuggage("%d datagrams that wait, of a link", len(s.Offers))
	}
	return checkNames(s.Local, s.Remote, s.PeerName, s.Chosen, s.Sender)
}

// checkListener says what is wrong with the state of a listener, or of what the links of a datagram socket come to.
func checkListener(s *wire.ListenerState, links bool) error {
	switch t := sock.Type(s.SocketType); {
	case !t.Valid(), links != (t == sock.Datagram):
		return badLuggage("a listener of type %d", t)
	case s.Handles >= pipe.MaxHandles, len(s.Source) > pipe.MaxSourceState:
		return badLuggage("a listener with %d further descriptors and %d bytes", s.Handles, len(s.Source))
	}
	return checkNames(s.Local)
}

// checkPacketConn says what is wrong with the state of a datagram socket, whose links have at most so many descriptors.
func checkPacketConn(s *wire.PacketState, descriptors int) error {
	if uint64(s.Links) > uint64(descriptors) {
		return badLuggage("%d links and %d descriptors", s.Links, descriptors)
	}
	return checkNames(s.Local, s.Bound, s.Remote)
}

// checkNames refuses names that no packet could carry.
func checkNames(names ...string) error {
	for _, name := range names {
		if len(name) > wire.MaxName {
			return badLuggage("a name of %d bytes", len(name))
		}
	}
	return nil
}
