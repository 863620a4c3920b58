package endpoint

import (
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about states of ends that parse, and in which no end can be. What their numbers say,
// package sock checks when it makes the two halves.

// checkConn says what is wrong with the state of a connection.
func checkConn(s *sock.ConnState) error {
	switch {
	case !s.End.Type.Valid():
		return move.Bad("the state of a connection of type %d", s.End.Type)
	case len(s.Link.Offers) > 0:
		return move.Bad("%d datagrams that wait, of a connection", len(s.Link.Offers))
	}
	return checkSession(s)
}

// checkLink says what is wrong with the state of a link.
func checkLink(s *sock.ConnState) error {
	switch {
	case s.End.Type != sock.Datagram:
		return move.Bad("the state of a connection of type %d", s.End.Type)
	case len(s.Link.Offers) > sock.MaxOffers:
		return move.Bad("%d datagrams that wait, of a link", len(s.Link.Offers))
	}
	return checkSession(s)
}

// checkSession says what is wrong with the state of either.
func checkSession(s *sock.ConnState) error {
	switch {
	case s.Moves.Waits && !s.Moves.PeerAway:
		return move.Bad("the state of a connection that waits for a hello, and has heard it")
	case s.Out.Peer == sock.Apart: // one of datagrams that has is a PacketConn by now
		return move.Bad("a connection of type %d that has lost its peer", s.End.Type)
	case len(s.End.Writers) > maxWriters:
		return move.Bad("%d writers", len(s.End.Writers))
	}
	return checkNames(s.End.Local, s.End.Remote, s.End.PeerName, s.End.Chosen, s.Link.Sender)
}

// checkListener says what is wrong with the state of a listener.
func checkListener(s *sock.ListenerState) error {
	if s.Type == sock.Datagram || !s.Type.Valid() {
		return move.Bad("a listener of type %d", s.Type)
	}
	return checkDoor(s)
}

// checkLinks says what is wrong with the state of the door of a datagram socket.
func checkLinks(s *sock.ListenerState) error {
	if s.Type != sock.Datagram {
		return move.Bad("a listener of type %d", s.Type)
	}
	return checkDoor(s)
}

// checkDoor says what is wrong with the state of either.
func checkDoor(s *sock.ListenerState) error {
	switch {
	case s.Handles >= pipe.MaxHandles, len(s.Source) > pipe.MaxSourceState:
		return move.Bad("a listener with %d further descriptors and %d bytes", s.Handles, len(s.Source))
	}
	return checkNames(s.Local)
}

// checkPacketConn says what is wrong with the state of a datagram socket, whose links have at most
// so many descriptors.
func checkPacketConn(s *sock.PacketState, descriptors int) error {
	if uint64(s.Links) > uint64(descriptors) {
		return move.Bad("%d links and %d descriptors", s.Links, descriptors)
	}
	return checkNames(s.Local, s.Bound, s.Remote)
}

// checkNames refuses names that no packet could carry.
func checkNames(names ...string) error {
	for _, name := range names {
		if len(name) > wire.MaxName {
			return move.Bad("a name of %d bytes", len(name))
		}
	}
	return nil
}
