package endpoint

import (
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about states of ends that parse, and in which no end can be. What their numbers say, package sock checks when it makes the
// two halves.

// checkConn says what is wrong with the state of a connection.
func checkConn(s *wire.ConnState) error {
	switch t := sock.Type(s.SocketType); {
	case !t.Valid():
		return badLuggage("the state of a connection of type %d", t)
	case len(s.Offers) > 0:
		return badLuggage("%d datagrams that wait, of a connection", len(s.Offers))
	}
	return checkSession(s)
}

// checkLink says what is wrong with the state of a link.
func checkLink(s *wire.ConnState) error {
	switch t := sock.Type(s.SocketType); {
	case t != sock.Datagram:
		return badLuggage("the state of a connection of type %d", t)
	case len(s.Offers) > sock.MaxOffers:
		return badLuggage("%d datagrams that wait, of a link", len(s.Offers))
	}
	return checkSession(s)
}

// checkSession says what is wrong with the state of either.
func checkSession(s *wire.ConnState) error {
	switch {
	case s.Flags&wire.ConnDeferred != 0 && s.Flags&wire.ConnShifting == 0:
		return badLuggage("the state of a connection that waits for a hello, and has heard it")
	case s.Flags&wire.ConnApart != 0: // one of datagrams that has is a PacketConn by now
		return badLuggage("a connection of type %d that has lost its peer", s.SocketType)
	case len(s.Writers) > maxWriters:
		return badLuggage("%d writers", len(s.Writers))
	case len(s.Segments) > sock.MaxSegments:
		return badLuggage("a queue of %d segments", len(s.Segments))
	}
	return checkNames(s.Local, s.Remote, s.PeerName, s.Chosen, s.Sender)
}

// checkListener says what is wrong with the state of a listener.
func checkListener(s *wire.ListenerState) error {
	if t := sock.Type(s.SocketType); t == sock.Datagram || !t.Valid() {
		return badLuggage("a listener of type %d", t)
	}
	return checkDoor(s)
}

// checkLinks says what is wrong with the state of the door of a datagram socket.
func checkLinks(s *wire.ListenerState) error {
	if t := sock.Type(s.SocketType); t != sock.Datagram {
		return badLuggage("a listener of type %d", t)
	}
	return checkDoor(s)
}

// checkDoor says what is wrong with the state of either.
func checkDoor(s *wire.ListenerState) error {
	switch {
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
