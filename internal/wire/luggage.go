package wire

import "encoding/binary"

// Luggage is what the ends that move with a message take along (P8): the payloads of the packets in front of it, one behind the
// other, hold a state for each of its records of owner End, in their order. The records of those packets are the descriptors
// that the states speak of, in the order in which they do.
//
// Each state begins with its tag. What it consists of is said once, by a method that visits its fields, for both directions.

// A Tag says what a state is of.
type Tag uint8

// The tags.
const (
	ConnTag     Tag = iota + 1 // a ConnState
	ListenerTag                // a ListenerState
	PacketTag                  // a PacketState
	PipeTag                    // a client that has not said hello: nothing but its pipe
	tags
)

// Flags of a ConnState.
const (
	ConnServer   uint32 = 1 << iota // the end of the side that created the pipe
	ConnEmbryo                      // nobody has accepted it
	ConnPass                        // it wants credentials with messages
	ConnPeerPass                    // the peer does
	ConnAlone                       // nobody is at the other end any more
	ConnShifting                    // the other end is being moved, too: whoever has it then has not said hello
	ConnApart                       // a datagram socket that has found out that its peer is gone
	ConnNaming                      // the peer may be about to choose a name
	ConnOver                        // a link on which nothing will come any more

	InShut // the receiving half: see package sock
	InEnded
	InGone
	InReset
	InFailed

	OutShut // the sending half
	OutDeaf
	OutGone

	ConnDeferred // it says hello when whoever has the other end has
	connFlags
)

// A ConnState is the state of one end of a connection. Its record is of the message pipe.
type ConnState struct {
	SocketType uint8
	Flags      uint32
	ID, PeerID uint64 // the random numbers in the two hellos
	Local      string // addresses, as they are shown
	Remote     string
	PeerName   string // that the peer has chosen
	Chosen     string // that this end has chosen

	// Accounting of the two halves: see package sock.
	Arrived, Consumed, Reported, InWindow                      uint64
	RightsArrived, RightsConsumed, RightsGranted, RightsWindow uint64
	Message, Pieces                                            uint32
	Sent, SentConsumed, RightsSent, RightsLimit, Serial        uint64
	Buffer                                                     uint32

	Writers  []Writer  // the processes that have had the other end, oldest first
	Segments []Segment // what has not been read

	// Of a link between datagram sockets only.
	Sender   string   // the name in the last datagram
	Offering uint64   // the serial number of the datagram that is coming
	Offers   []uint64 // those of datagrams that wait for room in the queue
	Queued   uint32   // how many datagrams are in the queue
}

// A Writer is a process that has had the other end of a connection, as the former owner of this end says.
type Writer struct {
	PID, UID, GID uint64
	SID           string
}

// Flags of a Segment.
const (
	SegmentMore uint8 = 1 << iota
	SegmentContinued
	SegmentLost // descriptors came with it, and could not be installed
	segmentFlags
)

// A Segment is what one packet brought. Its descriptors are the next records; of those that are ends, the states follow behind
// the ConnState.
type Segment struct {
	Flags  uint8
	Rights uint8  // how many descriptors it has
	Writer uint32 // whose credentials it carries: a number in Writers, from 1; 0: nobody's
	Data   []byte
}

// A ListenerState is the state of a listener. Its record is the first of its source's descriptors; the others are the next records.
// States of its clients follow, each with a record.
type ListenerState struct {
	SocketType uint8
	Backlog    uint32
	Local      string
	Handles    uint8  // how many descriptors its source has besides the first
	Source     []byte // what its source says of itself
	Clients    uint32
}

// Flags of a PacketState.
const (
	PacketListens uint32 = 1 << iota // a ListenerState follows
	PacketPeer                       // the first link is the one to the socket that this one is connected to
	PacketApart
	PacketDeaf
	PacketMute
	PacketPass
	packetFlags
)

// A PacketState is the state of a datagram socket that is no pair's. Its record has no value; states of a listener and of its links follow,
// each with a record.
type PacketState struct {
	Flags       uint32
	ID, PeerID  uint64
	Buffer      uint32
	Local       string // address, as it is shown
	Bound       string
	Remote      string // "" if it is not connected
	Links       uint32
	Queue, Held []uint32 // a link's number for each datagram
}

// MaxText bounds the texts of a state: a name, or a SID of Windows.
const MaxText = 184

func (s *ConnState) visit(v visitor) {
	v.u8(&s.SocketType)
	v.flags(&s.Flags, connFlags)
	for _, n := range []*uint64{&s.ID, &s.PeerID, &s.Arrived, &s.Consumed, &s.Reported, &s.InWindow, &s.RightsArrived,
		&s.RightsConsumed, &s.RightsGranted, &s.RightsWindow, &s.Sent, &s.SentConsumed, &s.RightsSent, &s.RightsLimit,
		&s.Serial, &s.Offering} {
		v.u64(n)
	}
	for _, n := range []*uint32{&s.Message, &s.Pieces, &s.Buffer, &s.Queued} {
		v.u32(n)
	}
	for _, t := range []*string{&s.Local, &s.Remote, &s.PeerName, &s.Chosen, &s.Sender} {
		v.text(t)
	}
	list(v, &s.Offers, 8, v.u64)
	list(v, &s.Writers, 3*8+1, func(w *Writer) {
		v.u64(&w.PID)
		v.u64(&w.UID)
		v.u64(&w.GID)
		v.text(&w.SID)
	})
	list(v, &s.Segments, 4+1+4+4, func(seg *Segment) {
		flags := uint32(seg.Flags)
		v.flags(&flags, uint32(segmentFlags))
		seg.Flags = uint8(flags)
		v.u8(&seg.Rights)
		v.u32(&seg.Writer)
		v.bytes(&seg.Data)
	})
}

func (s *ListenerState) visit(v visitor) {
	v.u8(&s.SocketType)
	v.u32(&s.Backlog)
	v.text(&s.Local)
	v.u8(&s.Handles)
	v.bytes(&s.Source)
	v.u32(&s.Clients)
}

func (s *PacketState) visit(v visitor) {
	v.flags(&s.Flags, packetFlags)
	v.u64(&s.ID)
	v.u64(&s.PeerID)
	v.u32(&s.Buffer)
	for _, t := range []*string{&s.Local, &s.Bound, &s.Remote} {
		v.text(t)
	}
	v.u32(&s.Links)
	list(v, &s.Queue, 4, v.u32)
	list(v, &s.Held, 4, v.u32)
}

// Append appends the state with its tag.
func (s *ConnState) Append(b []byte) []byte { return appendState(b, ConnTag, s) }

// Append appends the state with its tag.
func (s *ListenerState) Append(b []byte) []byte { return appendState(b, ListenerTag, s) }

// Append appends the state with its tag.
func (s *PacketState) Append(b []byte) []byte { return appendState(b, PacketTag, s) }

// ParseTag takes the tag off b.
func ParseTag(b []byte) (Tag, []byte, error) {
	if len(b) == 0 || b[0] == 0 || Tag(b[0]) >= tags {
		return 0, nil, malformed("luggage of nothing that is known")
	}
	return Tag(b[0]), b[1:], nil
}

// ParseConnState takes a state off b, behind its tag. Data of its segments are parts of b.
func ParseConnState(b []byte) (s ConnState, rest []byte, err error) {
	rest, err = parseState(b, &s)
	return s, rest, err
}

// ParseListenerState takes a state off b, behind its tag. Source is a part of b.
func ParseListenerState(b []byte) (s ListenerState, rest []byte, err error) {
	rest, err = parseState(b, &s)
	return s, rest, err
}

// ParsePacketState takes a state off b, behind its tag.
func ParsePacketState(b []byte) (s PacketState, rest []byte, err error) {
	rest, err = parseState(b, &s)
	return s, rest, err
}

type state interface{ visit(visitor) }

func appendState(b []byte, t Tag, s state) []byte {
	w := &writer{append(b, byte(t))}
	s.visit(w)
	return w.b
}

func parseState(b []byte, s state) (rest []byte, err error) {
	r := &reader{b: b}
	s.visit(r)
	if r.failed {
		return nil, malformed("luggage ends early, or has a text, a flag or a list that cannot be")
	}
	return r.b, nil
}

// A visitor is shown each field of a state: a writer appends them, a reader fills them in.
type visitor interface {
	u8(*uint8)
	u32(*uint32)
	u64(*uint64)
	flags(f *uint32, end uint32) // all below end are known
	text(*string)
	bytes(*[]byte)
	length(n *int, size int) // of a list whose elements take so many bytes at least
	more() bool              // whether there may be more elements
}

// list visits a list: its length, 4 bytes, and then the elements, which take size bytes at least. So it is never longer than what there is of it.
func list[E any](v visitor, l *[]E, size int, element func(*E)) {
	n := len(*l)
	v.length(&n, size)
	if len(*l) < n {
		*l = make([]E, n)
	}
	for i := 0; i < n && v.more(); i++ {
		element(&(*l)[i])
	}
}

type writer struct{ b []byte }

func (w *writer) u8(n *uint8)               { w.b = append(w.b, *n) }
func (w *writer) u32(n *uint32)             { w.b = binary.LittleEndian.AppendUint32(w.b, *n) }
func (w *writer) u64(n *uint64)             { w.b = binary.LittleEndian.AppendUint64(w.b, *n) }
func (w *writer) flags(f *uint32, _ uint32) { w.u32(f) }
func (w *writer) more() bool                { return true }

func (w *writer) length(n *int, _ int) {
	l := uint32(*n)
	w.u32(&l)
}

func (w *writer) text(s *string) {
	w.b = append(w.b, byte(len(*s)))
	w.b = append(w.b, *s...)
}

func (w *writer) bytes(p *[]byte) {
	n := len(*p)
	w.length(&n, 1)
	w.b = append(w.b, *p...)
}

// A reader has failed once the bytes are not what they should be, and then gives zeros.
type reader struct {
	b      []byte
	failed bool
}

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.b) {
		r.failed = true
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) u8(n *uint8) {
	if b := r.take(1); b != nil {
		*n = b[0]
	}
}

func (r *reader) u32(n *uint32) {
	if b := r.take(4); b != nil {
		*n = binary.LittleEndian.Uint32(b)
	}
}

func (r *reader) u64(n *uint64) {
	if b := r.take(8); b != nil {
		*n = binary.LittleEndian.Uint64(b)
	}
}

func (r *reader) flags(f *uint32, end uint32) {
	r.u32(f)
	r.failed = r.failed || *f >= end
}

func (r *reader) text(s *string) {
	var n uint8
	r.u8(&n)
	r.failed = r.failed || n > MaxText
	*s = string(r.take(int(n)))
}

func (r *reader) bytes(p *[]byte) {
	var n int
	r.length(&n, 1)
	*p = r.take(n)
}

func (r *reader) length(n *int, size int) {
	var l uint32
	r.u32(&l)
	r.failed = r.failed || uint64(l)*uint64(size) > uint64(len(r.b))
	if !r.failed {
		*n = int(l)
	}
}

func (r *reader) more() bool { return !r.failed }
