package move_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A world is two processes and a connection between them, over which ends move that know nothing of
// sockets: they note what is asked of them, and own their descriptors.
type world struct {
	t      *testing.T
	here   *simproc.Process
	there  *simproc.Process
	to     *simproc.View // of there, as here sees it
	from   *simproc.View
	route  rights.Route
	log    []string
	fail   string // the step that fails, as the log has it
	err    error  // … with this
	peerID uint64
	gone   error // why the carrier has stopped
	strays []*rights.Outgoing
	kept   []*rights.Outgoing
	guests map[*move.Outgoing][]move.End
}

func newWorld(t *testing.T, way rights.Way) *world {
	all := pipe.CanPull | pipe.CanPush | pipe.Trusts
	w := &world{t: t, here: simproc.New("here"), there: simproc.New("there"), route: rights.Route{Way: way}, guests: make(map[*move.Outgoing][]move.End)}
	w.to, w.from = w.here.View(w.there, all, false), w.there.View(w.here, all, false)
	return w
}

// The world is the carrier, too.
func (w *world) PeerID() uint64                     { return w.peerID }
func (w *world) Stopped() error                     { return w.gone }
func (w *world) Watch(m *move.Outgoing, e move.End) { w.guests[m] = append(w.guests[m], e) }
func (w *world) Unwatch(m *move.Outgoing)           { delete(w.guests, m) }
func (w *world) Stray(luggage []*rights.Outgoing)   { w.strays = append(w.strays, luggage...) }
func (w *world) Keep(exported *rights.Outgoing)     { w.kept = append(w.kept, exported) }
func (w *world) outgoing(n int) *rights.Outgoing    { return rights.NewOutgoing(w.here, w.to, w.route, n) }
func (w *world) room() *rights.Outgoing             { return w.outgoing(0) }
func (w *world) message(ends ...*end) *move.Outgoing {
	return w.sending(w.outgoing(len(ends)), ends...)
}

// sending returns a move of ends with a message.
func (w *world) sending(message *rights.Outgoing, ends ...*end) *move.Outgoing {
	m := move.New(w, message, w.room)
	for _, e := range ends {
		m.Add(e)
	}
	return m
}

// An end is one that is made of other ends, and has some in its queue.
type end struct {
	w       *world
	in      *simproc.Process
	name    string
	id      uint64
	tag     wire.Tag
	values  []uintptr // its descriptor, and further ones of a listener
	silent  []uintptr
	parts   []*end
	files   []uintptr // in its queue
	queue   []*end    // likewise
	waiting *descriptor.Set
}

// kindOf is the kind of descriptor that an end with such a state has.
func kindOf(tag wire.Tag) descriptor.Kind {
	if tag == wire.ListenerTag {
		return descriptor.UnixListener
	}
	return descriptor.Unix
}

// open opens n descriptors for an end.
func (w *world) open(n int, tag wire.Tag) (values []uintptr) {
	for range n {
		values = append(values, w.here.Open(descriptor.EndKind(kindOf(tag))))
	}
	return values
}

// conn is a connection with ends and files in its queue.
func (w *world) conn(name string, files int, queue ...*end) *end {
	e := &end{w: w, in: w.here, name: name, tag: wire.ConnTag, values: w.open(1, wire.ConnTag), queue: queue}
	set := descriptor.NewSet(w.here, 0)
	for range files {
		v := w.here.Open(descriptor.File)
		e.files = append(e.files, v)
		set.Add(v, descriptor.File)
	}
	for _, q := range queue {
		set.AddEnd(q, q.Kind())
	}
	if set.Len() > 0 {
		e.waiting = set
	}
	return e
}

// listener is a listener with clients, some of which have said nothing.
func (w *world) listener(name string, handles, silent int, clients ...*end) *end {
	return &end{w: w, in: w.here, name: name, tag: wire.ListenerTag, values: w.open(handles, wire.ListenerTag), silent: w.open(silent, wire.ConnTag), parts: clients}
}

// packetConn is a datagram socket with its links, and perhaps its listener in front of them.
func (w *world) packetConn(name string, parts ...*end) *end {
	return &end{w: w, in: w.here, name: name, tag: wire.PacketTag, parts: parts}
}

// step notes that something is asked of e, which fails if that is what is to fail.
func (e *end) step(what string) error {
	step := what + " " + e.name
	e.w.log = append(e.w.log, step)
	if step == e.w.fail {
		return e.w.err
	}
	return nil
}

func (e *end) Begin(m *move.Outgoing) error {
	if err := e.step("begin"); err != nil {
		return err
	}
	for _, p := range e.parts {
		if err := m.Begin(p); err != nil {
			return err
		}
	}
	return nil
}

func (e *end) Ready(m *move.Outgoing) error {
	for _, p := range e.parts {
		if err := p.Ready(m); err != nil {
			return err
		}
	}
	if e.waiting != nil {
		if err := m.Nest(move.Ends(e.waiting)); err != nil {
			return err
		}
	}
	return e.step("ready")
}

func (e *end) Pack(m *move.Outgoing) error {
	if err := e.step("pack"); err != nil {
		return err
	}
	switch e.tag {
	case wire.ConnTag:
		s := sock.ConnState{End: sock.EndState{Type: sock.Stream, Local: e.name}}
		if e.waiting != nil {
			s.Segments = []sock.Segment{{Data: []byte("x"), Rights: e.waiting}}
		}
		return m.AddConn(&s)
	case wire.ListenerTag:
		m.AddListener(&sock.ListenerState{Local: e.name, Handles: uint8(len(e.values) - 1), Clients: uint32(len(e.parts) + len(e.silent))}, e.values[1:])
	default:
		m.AddPacket(&sock.PacketState{Local: e.name, Links: uint32(len(e.parts))})
	}
	for _, p := range e.parts {
		if err := m.AddPart(p); err != nil {
			return err
		}
	}
	for _, v := range e.silent {
		m.AddSilent(v)
	}
	return nil
}

func (e *end) Stay()                   { e.step("stay") }
func (e *end) Moved()                  { e.step("moved") }
func (e *end) Nudge()                  { e.step("nudge") }
func (e *end) Start()                  { e.step("start") }
func (e *end) Taken()                  {}
func (e *end) Receives(id uint64) bool { return e.id != 0 && e.id == id }
func (e *end) Kind() descriptor.Kind   { return kindOf(e.tag) }

func (e *end) Descriptor() (uintptr, error) {
	if len(e.values) == 0 {
		return 0, e.step("ask")
	}
	return e.values[0], e.step("ask")
}

// Release closes what the end has here; its parts, and the ends in its queue, move themselves.
func (e *end) Release() {
	e.step("release")
	e.shut()
	for _, v := range e.files {
		e.close(v, descriptor.File)
	}
}

// Close closes everything.
func (e *end) Close() error {
	e.step("close")
	e.shut()
	if e.waiting != nil {
		e.waiting.Discard()
	}
	for _, p := range e.parts {
		p.Close()
	}
	return nil
}

func (e *end) shut() {
	for _, v := range e.values {
		e.close(v, descriptor.EndKind(e.Kind()))
	}
	for _, v := range e.silent {
		e.close(v, descriptor.EndKind(descriptor.Unix))
	}
}

func (e *end) close(v uintptr, k descriptor.Kind) {
	if err := e.in.Close(v, k); err != nil {
		e.w.t.Errorf("%s: closing %#x: %v", e.name, v, err)
	}
}

// String shows what the end is made of.
func (e *end) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(%d+%d", e.name, len(e.values), len(e.silent))
	for _, p := range e.parts {
		fmt.Fprintf(&b, " %v", p)
	}
	if e.waiting != nil {
		fmt.Fprintf(&b, " [%d", e.waiting.Len())
		for _, q := range move.Ends(e.waiting) {
			fmt.Fprintf(&b, " %v", q)
		}
		b.WriteString("]")
	}
	return b.String() + ")"
}

// Build makes w a move.Builder.
func (w *world) Build(in *move.Incoming, tag wire.Tag, v uintptr) (move.End, error) {
	e, err := w.made(in, tag, v)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (w *world) made(in *move.Incoming, tag wire.Tag, v uintptr) (*end, error) {
	e := &end{w: w, in: w.there, tag: tag}
	if v != 0 {
		e.values = []uintptr{v}
	}
	var err error
	switch tag {
	case wire.ConnTag:
		err = e.makeConn(in, v)
	case wire.ListenerTag:
		err = e.makeListener(in, v)
	default:
		err = e.makePacket(in)
	}
	return e, err
}

func (e *end) makeConn(in *move.Incoming, v uintptr) error {
	s, err := in.Conn(v)
	if err != nil {
		return err
	}
	if err = in.Queue(s.Segments, 10); err != nil {
		in.Close(v, descriptor.Unix)
		return err
	}
	e.name = s.End.Local
	sets := 0
	for i := range s.Segments {
		if r := s.Segments[i].Rights; r != nil {
			e.waiting = r.(*descriptor.Set)
			sets++
		}
	}
	if sets > 1 { // more than these ends can have
		move.DiscardQueue(s.Segments)
		in.Close(v, descriptor.Unix)
		return move.Bad("%d sets", sets)
	}
	return nil
}

func (e *end) makeListener(in *move.Incoming, v uintptr) error {
	s, err := in.Listener(v)
	if err != nil {
		return err
	}
	if e.values, err = in.Handles(v, int(s.Handles)); err != nil {
		return err
	}
	e.name = s.Local
	for range s.Clients {
		v, tag, err := in.Client()
		var c *end
		switch {
		case err != nil:
		case tag == wire.PipeTag:
			e.silent = append(e.silent, v)
			continue
		default:
			c, err = e.w.made(in, tag, v)
		}
		if err != nil {
			e.Close()
			return err
		}
		e.parts = append(e.parts, c)
	}
	return nil
}

func (e *end) makePacket(in *move.Incoming) error {
	s, err := in.Packet()
	if err != nil {
		return err
	}
	e.name = s.Local
	for range s.Links {
		var c *end
		v, err := in.Part(wire.ConnTag)
		if err == nil {
			c, err = e.w.made(in, wire.ConnTag, v)
		}
		if err != nil {
			e.Close()
			return err
		}
		e.parts = append(e.parts, c)
	}
	return nil
}

// write writes the packets in front of a message, and returns what the receiver gathers of them.
func (w *world) write(m *move.Outgoing) (l move.Luggage) {
	for m.More() {
		p, err := m.Packet()
		if err != nil {
			w.t.Fatal(err)
		}
		m.Wrote()
		p.Serial = 1
		parsed, err := wire.Parse(p.Append(nil))
		if err != nil {
			w.t.Fatal(err)
		}
		l.Add(&parsed)
	}
	return l
}

// receive makes what a message has brought.
func (w *world) receive(l move.Luggage, message *rights.Outgoing) (*descriptor.Set, error) {
	block, err := message.Records()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.incoming(l).Message(&wire.Packet{Ancillary: block, Records: message.Len()})
}

func (w *world) incoming(l move.Luggage) *move.Incoming {
	return move.Receive(l, w.there, w.from, w.route, w)
}

// open fails unless so many descriptors are open in each process, and none has been misused.
func (w *world) have(here, there int) {
	w.t.Helper()
	if h, t := w.here.Len(), w.there.Len(); h != here || t != there {
		w.t.Errorf("%d descriptors are open here, %d there; want %d and %d", h, t, here, there)
	}
	for _, f := range slices.Concat(w.here.Faults(), w.there.Faults()) {
		w.t.Error(f)
	}
}

// logged returns the steps of one kind, in their order.
func (w *world) logged(what string) (names []string) {
	for _, step := range w.log {
		if name, ok := strings.CutPrefix(step, what+" "); ok {
			names = append(names, name)
		}
	}
	return names
}
