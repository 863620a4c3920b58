package wire

import (
	"afunix/internal/sock"
)

// Luggage is what the ends that move with a message take along (P8): the payloads of the packets in
// front of it, one behind the other, hold a state for each of its records of owner End, in their
// order. The records of those packets are the descriptors that the states speak of, in the order in
// which they do.
//
// What a state consists of, package sock declares. Here its fields are listed once, in the order of
// the wire, by a function that visits them for both directions. A tag comes first.

// A Tag says what a state is of.
type Tag uint8

// The tags.
const (
	ConnTag     Tag = iota + 1 // a sock.ConnState. Its record is of the message pipe
	ListenerTag                // a sock.ListenerState. Its record is the first of its source's descriptors; the others are the next records
	PacketTag                  // a sock.PacketState. Its record has no value
	PipeTag                    // a client that has not said hello: nothing but its pipe
	tags
)

// MaxText bounds the texts of a state: a name, or a SID of Windows.
const MaxText = 184

// visitConn visits the state of an end of a connection. The records of the descriptors in its queue
// are the next ones; of those that are ends, the states follow behind this one.
func visitConn(v visitor, s *sock.ConnState) {
	end, in, out := &s.End, &s.In, &s.Out
	apart := out.Peer == sock.Apart
	v.u8((*uint8)(&end.Type))
	v.flags(&end.Server, &end.Embryo, &end.Pass, &end.PeerPass, &end.Alone, &s.Moves.PeerAway, &apart, &end.Naming, &s.Link.Over,
		&in.Shut, &in.Ended, &in.Gone, &in.Reset, &in.Failed, &out.Shut, &out.Deaf, &out.Gone, &s.Moves.Waits)
	if apart {
		out.Peer = sock.Apart
	}
	for _, n := range []*uint64{&end.ID, &end.PeerID, &in.Arrived, &in.Consumed, &in.Reported, &in.Window, &in.RightsArrived,
		&in.RightsConsumed, &in.RightsGranted, &in.RightsWindow, &out.Sent, &out.Consumed, &out.RightsSent, &out.RightsLimit,
		&out.Serial, &s.Link.Offering} {
		v.u64(n)
	}
	for _, n := range []*uint32{&in.Message, &in.Pieces, &out.Buffer, &s.Link.Queued} {
		v.u32(n)
	}
	for _, t := range []*string{&end.Local, &end.Remote, &end.PeerName, &end.Chosen, &s.Link.Sender} {
		v.text(t)
	}
	list(v, &s.Link.Offers, 8, anyLength, v.u64)
	list(v, &end.Writers, 3*8+1, anyLength, func(w *sock.Writer) {
		v.u64(&w.PID)
		v.u64(&w.UID)
		v.u64(&w.GID)
		v.text(&w.SID)
	})
	list(v, &s.Segments, 4+1+4+4, sock.MaxSegments, func(seg *sock.Segment) {
		v.flags(&seg.More, &seg.Continued, &seg.Lost)
		v.rights(&seg.Rights)
		v.u32(&seg.Creds)
		v.bytes(&seg.Data)
	})
}

// visitListener visits the state of a listener. States of its clients follow, each with a record.
func visitListener(v visitor, s *sock.ListenerState) {
	v.u8((*uint8)(&s.Type))
	v.u32(&s.Backlog)
	v.text(&s.Local)
	v.u8(&s.Handles)
	v.bytes(&s.Source)
	v.u32(&s.Clients)
}

// visitPacket visits the state of a datagram socket. States of its listener and of its links
// follow, each with a record.
func visitPacket(v visitor, s *sock.PacketState) {
	apart := s.Mail.Peer == sock.Apart
	v.flags(&s.Listens, &s.PeerLink, &apart, &s.Mail.Deaf, &s.Mute, &s.Pass)
	if apart {
		s.Mail.Peer = sock.Apart
	}
	v.u64(&s.ID)
	v.u64(&s.PeerID)
	v.u32(&s.Buffer)
	for _, t := range []*string{&s.Local, &s.Bound, &s.Remote} {
		v.text(t)
	}
	v.u32(&s.Links)
	list(v, &s.Order.Queue, 4, anyLength, v.u32)
	list(v, &s.Order.Held, 4, anyLength, v.u32)
}

// AppendConn appends a state with its tag.
func AppendConn(b []byte, s *sock.ConnState) []byte { return appendState(b, ConnTag, s, visitConn) }

// AppendListener appends a state with its tag.
func AppendListener(b []byte, s *sock.ListenerState) []byte {
	return appendState(b, ListenerTag, s, visitListener)
}

// AppendPacket appends a state with its tag.
func AppendPacket(b []byte, s *sock.PacketState) []byte {
	return appendState(b, PacketTag, s, visitPacket)
}

// ParseTag takes the tag off b.
func ParseTag(b []byte) (Tag, []byte, error) {
	if len(b) == 0 || b[0] == 0 || Tag(b[0]) >= tags {
		return 0, nil, malformed("luggage of nothing that is known")
	}
	return Tag(b[0]), b[1:], nil
}

// ParseConn takes a state off b, behind its tag. Data of its segments are parts of b, and their
// descriptors are Announced.
func ParseConn(b []byte) (s sock.ConnState, rest []byte, err error) {
	rest, err = parseState(b, &s, visitConn)
	return s, rest, err
}

// ParseListener takes a state off b, behind its tag. Source is a part of b.
func ParseListener(b []byte) (s sock.ListenerState, rest []byte, err error) {
	rest, err = parseState(b, &s, visitListener)
	return s, rest, err
}

// ParsePacket takes a state off b, behind its tag.
func ParsePacket(b []byte) (s sock.PacketState, rest []byte, err error) {
	rest, err = parseState(b, &s, visitPacket)
	return s, rest, err
}

func appendState[S any](b []byte, t Tag, s *S, visit func(visitor, *S)) []byte {
	w := &writer{append(b, byte(t))}
	visit(w, s)
	return w.b
}

func parseState[S any](b []byte, s *S, visit func(visitor, *S)) (rest []byte, err error) {
	r := &reader{b: b}
	visit(r, s)
	if r.failed {
		return nil, malformed("luggage ends early, or has a text, a flag or a list that cannot be")
	}
	return r.b, nil
}

// Announced are the descriptors of a message that a state speaks of: so many of the next records,
// which nobody has adopted.
type Announced uint8

// Len returns how many they are.
func (n Announced) Len() int { return int(n) }

// Discard has nothing to close.
func (Announced) Discard() {}
