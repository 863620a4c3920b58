package move

import (
	"errors"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Luggage is what has come in front of a message.
type Luggage struct {
	states  []byte
	records []byte
	n       int // of records
	weight  int
}

// Empty reports whether nothing has.
func (l *Luggage) Empty() bool { return l.n == 0 && len(l.states) == 0 }

// Weight is what it has taken of the credit for descriptors.
func (l *Luggage) Weight() int { return l.weight }

// Add takes in a packet.
func (l *Luggage) Add(p *wire.Packet) {
	l.states = append(l.states, p.Payload...)
	l.records = append(l.records, p.Ancillary...)
	l.n += p.Records
	l.weight += sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Luggage: true}.Weight()
}

// Join takes in what has come in front of another message.
func (l *Luggage) Join(other Luggage) {
	l.states = append(l.states, other.states...)
	l.records = append(l.records, other.records...)
	l.n += other.n
	l.weight += other.weight
}

// TakeExported takes the sockets that have been exported. What is left can only be discarded.
func (l *Luggage) TakeExported() (exported Luggage) {
	block, n := l.records, l.n
	l.records, l.n = nil, 0
	for range n {
		r, rest, err := wire.ParseRecord(block)
		if err != nil {
			break
		}
		to := l
		if r.Owner == wire.Exported {
			to = &exported
		}
		to.records = append(to.records, block[:len(block)-len(rest)]...)
		to.n++
		block = rest
	}
	return exported
}

// A Builder makes ends.
type Builder interface {
	// Build makes an end of the next state of in, which is of this kind, and of its descriptor v, 0
	// if it has none. It owns v, also if it fails.
	Build(in *Incoming, tag wire.Tag, v uintptr) (End, error)
}

// Incoming makes the ends of a message of what came in front of it. What it is told is bounded and
// checked, but it is about the mover's own sockets: a lie breaks nothing but these.
type Incoming struct {
	luggage Luggage
	table   descriptor.Table
	from    pipe.Process
	route   rights.Route
	build   Builder // nil: ends cannot come here
}

// Receive returns what makes ends of luggage whose descriptors come from a process by route.
func Receive(l Luggage, t descriptor.Table, from pipe.Process, route rights.Route, build Builder) *Incoming {
	return &Incoming{luggage: l, table: t, from: from, route: route, build: build}
}

// Message adopts the descriptors of a message, with its ends.
func (in *Incoming) Message(p *wire.Packet) (*descriptor.Set, error) {
	if in.luggage.Empty() { // most messages have no ends, and nothing is allocated for these
		return rights.Adopt(in.table, in.from, in.route, p.Ancillary, p.Records, in.openBare)
	}
	whole := *in
	in.luggage = Luggage{}
	return whole.message(p)
}

// openBare is open without luggage.
func (in *Incoming) openBare(v uintptr, k descriptor.Kind) (descriptor.End, error) {
	bare := *in
	return bare.open(v, k)
}

// message is Message with luggage.
func (in *Incoming) message(p *wire.Packet) (*descriptor.Set, error) {
	set, err := rights.Adopt(in.table, in.from, in.route, p.Ancillary, p.Records, in.open)
	if l := &in.luggage; err == nil && !l.Empty() {
		set.Discard()
		err = Bad("%d descriptors and %d bytes of luggage that belong to nothing", l.n, len(l.states))
	}
	if err != nil {
		in.Discard()
		return nil, err
	}
	return set, nil
}

// Discard closes descriptors that nobody will have.
func (in *Incoming) Discard() {
	rights.Discard(in.table, in.from, in.route, in.luggage.records, in.luggage.n)
	in.luggage = Luggage{}
}

// DiscardExported is Discard for luggage that its sender takes back, but for what was exported,
// which he cannot.
func (in *Incoming) DiscardExported() {
	rights.DiscardExported(in.table, in.from, in.route, in.luggage.records, in.luggage.n)
	in.luggage = Luggage{}
}

// Inherit makes an end of the state of one that this process has inherited, which is a connection,
// and of its descriptor. It owns v.
func Inherit(state []byte, v uintptr, t descriptor.Table, build Builder) (End, error) {
	in := &Incoming{luggage: Luggage{states: state}, table: t, build: build}
	tag, err := in.tag()
	if err != nil || tag != wire.ConnTag {
		in.Close(v, descriptor.Unix)
		return nil, errors.Join(Bad("state %d of an inherited end", tag), err)
	}
	e, err := build.Build(in, tag, v)
	if err != nil {
		return nil, blamed(err)
	}
	if n := len(in.luggage.states); n > 0 {
		e.Close()
		return nil, Bad("%d bytes behind the state of an inherited end", n)
	}
	return e, nil
}

// tag takes the tag of the next state.
func (in *Incoming) tag() (tag wire.Tag, err error) {
	tag, in.luggage.states, err = wire.ParseTag(in.luggage.states)
	return tag, err
}

// open makes the next end: see rights.Opener.
func (in *Incoming) open(v uintptr, k descriptor.Kind) (descriptor.End, error) {
	e, err := in.end(v, k)
	if err != nil {
		return nil, blamed(err)
	}
	return e, nil
}

// end is open, but what it returns beside an error is nothing that could be compared with nil.
func (in *Incoming) end(v uintptr, k descriptor.Kind) (End, error) {
	tag, err := in.tag()
	if err == nil && in.build == nil {
		err = Bad("ends cannot come here")
	}
	if err == nil && !fits(tag, k, v) {
		err = Bad("state %d of a descriptor of kind %d", tag, k)
	}
	if err != nil {
		in.Close(v, k)
		return nil, err
	}
	return in.build.Build(in, tag, v)
}

// fits reports whether an end with such a state is sent as a descriptor of kind k.
func fits(tag wire.Tag, k descriptor.Kind, v uintptr) bool {
	switch tag {
	case wire.ConnTag:
		return k == descriptor.Unix && v != 0
	case wire.ListenerTag:
		return k == descriptor.UnixListener && v != 0
	case wire.PacketTag:
		return k == descriptor.Unix && v == 0
	}
	return false
}

// blamed blames the peer for what is wrong with an end. That there is no room, or no peer any more,
// is not its fault.
func blamed(err error) error {
	switch err {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ESRCH, descriptor.ErrRightsTruncated:
		return err
	}
	if errors.Is(err, rights.ErrRecord) {
		return err
	}
	return Bad("%w", err)
}

// Close closes a descriptor that was to become an end, or a part of one, and does not. 0 is none.
func (in *Incoming) Close(v uintptr, k descriptor.Kind) {
	if v != 0 {
		descriptor.Discard(in.table, v, descriptor.EndKind(k))
	}
}

// Left returns how many descriptors have not been adopted.
func (in *Incoming) Left() int { return in.luggage.n }

// Conn takes the state of a connection, or of a link of a datagram socket. On an error its
// descriptor v has been closed.
func (in *Incoming) Conn(v uintptr) (s sock.ConnState, err error) {
	if s, in.luggage.states, err = wire.ParseConn(in.luggage.states); err != nil {
		in.Close(v, descriptor.Unix)
	}
	return s, err
}

// Listener takes the state of a listener. On an error its descriptor v has been closed.
func (in *Incoming) Listener(v uintptr) (s sock.ListenerState, err error) {
	if s, in.luggage.states, err = wire.ParseListener(in.luggage.states); err != nil {
		in.Close(v, descriptor.UnixListener)
	}
	return s, err
}

// Packet takes the state of a datagram socket.
func (in *Incoming) Packet() (s sock.PacketState, err error) {
	s, in.luggage.states, err = wire.ParsePacket(in.luggage.states)
	return s, err
}

// Part adopts the descriptor of an end that another one is made of, and whose state with this tag
// is the next one.
func (in *Incoming) Part(want wire.Tag) (uintptr, error) {
	tag, err := in.tag()
	if err != nil || tag != want {
		return 0, Bad("state %d where %d was announced", tag, want)
	}
	return in.part()
}

// Client adopts the descriptor of a listener's next client, which has a state (wire.ConnTag), or
// has not said hello (wire.PipeTag).
func (in *Incoming) Client() (v uintptr, tag wire.Tag, err error) {
	if v, err = in.part(); err != nil {
		return 0, 0, err
	}
	tag, err = in.tag()
	if err == nil && tag != wire.ConnTag && tag != wire.PipeTag {
		err = Bad("state %d of a client", tag)
	}
	if err != nil {
		in.Close(v, descriptor.Unix)
		return 0, 0, err
	}
	return v, tag, nil
}

func (in *Incoming) part() (uintptr, error) {
	block, err := in.block(1)
	if err != nil {
		return 0, err
	}
	v, _, err := in.adopt(block)
	return v, err
}

// Handles returns v, the first descriptor of a listener's source, and the next n.
func (in *Incoming) Handles(v uintptr, n int) ([]uintptr, error) {
	handles := []uintptr{v}
	block, err := in.block(n)
	for i := 0; err == nil && i < n; i++ {
		var more uintptr
		if more, block, err = in.adopt(block); err == nil {
			handles = append(handles, more)
		}
	}
	if err != nil {
		for _, v := range handles {
			in.Close(v, descriptor.UnixListener)
		}
		return nil, err
	}
	return handles, nil
}

// Queue makes of the segments in a state the queue of a connection that has had so many writers:
// their bytes are a copy from here on, and their descriptors adopted. On an error there is no
// queue, and nothing is open.
func (in *Incoming) Queue(segments []sock.Segment, writers int) (err error) {
	for i := range segments {
		if err = in.queue(&segments[i], writers); err != nil {
			DiscardQueue(segments)
			return err
		}
	}
	return nil
}

func (in *Incoming) queue(s *sock.Segment, writers int) error {
	s.Data = append([]byte(nil), s.Data...)
	if int64(s.Creds) > int64(writers) {
		return Bad("bytes of writer %d of %d", s.Creds, writers)
	}
	if s.Rights == nil {
		return nil
	}
	n := s.Rights.Len()
	block, err := in.block(n)
	if err != nil {
		return err
	}
	set, err := rights.Adopt(in.table, in.from, in.route, block, n, in.open)
	if err == nil {
		s.Rights = set
	}
	return err
}

// DiscardQueue closes the descriptors in a queue.
func DiscardQueue(segments []sock.Segment) {
	for i := range segments {
		if r := segments[i].Rights; r != nil {
			r.Discard()
		}
	}
}

// block takes the records of the next n descriptors.
func (in *Incoming) block(n int) ([]byte, error) {
	l := &in.luggage
	if n > l.n {
		return nil, Bad("%d descriptors where %d were announced", l.n, n)
	}
	rest := l.records
	for range n {
		var err error
		if _, rest, err = wire.ParseRecord(rest); err != nil {
			return nil, Bad("%v", err)
		}
	}
	block := l.records[:len(l.records)-len(rest)]
	l.records, l.n = rest, l.n-n
	return block, nil
}

// adopt adopts the descriptor of the first record of block, which is a part of an end.
func (in *Incoming) adopt(block []byte) (v uintptr, rest []byte, err error) {
	r, rest, err := wire.ParseRecord(block)
	if err == nil && r.Owner != wire.End {
		err = Bad("owner %d of a part of an end", r.Owner)
	}
	if err == nil {
		v, err = rights.AdoptPart(in.table, in.from, in.route, r)
	}
	return v, rest, err
}
