package endpoint

import (
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about states of ends that parse, and in which no end can be. What their numbers say, package sock checks when it makes the
// two halves.

// checkConn says what is wrong with the state of a connection, or of a link.
func checkConn(s *sock.ConnState, link bool) error {
	switch t := s.End.Type; {
	case !t.Valid(), link && t != sock.Datagram:
		return badLuggage("the state of a connection of type %d", t)
	case s.Shift.Waits && !s.Shift.PeerAway:
		return badLuggage("the state of a connection that waits for a hello, and has heard it")
	case s.Out.Peer == sock.Apart: // one of datagrams that has is a PacketConn by now
		return badLuggage("a connection of type %d that has lost its peer", t)
	case len(s.End.Writers) > maxWriters:
		return badLuggage("%d writers", len(s.End.Writers))
	case !link && len(s.Link.Offers) > 0:
		return badLuggage("%d datagrams that wait, of a connection", len(s.Link.Offers))
	case len(s.Link.Offers) > sock.MaxOffers:
		return badLuggage("%d datagrams that wait, of a link", len(s.Link.Offers))
	}
	return checkNames(s.End.Local, s.End.Remote, s.End.PeerName, s.End.Chosen, s.Link.Sender)
}

// checkListener says what is wrong with the state of a listener, or of what the links of a datagram socket come to.
func checkListener(s *sock.ListenerState, links bool) error {
	switch {
	case !s.Type.Valid(), links != (s.Type == sock.Datagram):
		return badLuggage("a listener of type %d", s.Type)
	case s.Handles >= pipe.MaxHandles, len(s.Source) > pipe.MaxSourceState:
		return badLuggage("a listener with %d further descriptors and %d bytes", s.Handles, len(s.Source))
	}
	return checkNames(s.Local)
}

// checkPacketConn says what is wrong with the state of a datagram socket, whose links have at most so many descriptors.
func checkPacketConn(s *sock.PacketState, descriptors int) error {
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
