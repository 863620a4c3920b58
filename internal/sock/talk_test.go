package sock_test

import (
	"bytes"
	"slices"
	"testing"

	"afunix/internal/sock"
)

// A script is what a fuzzer makes happen: each step begins with a byte that chooses it, and takes
// its numbers from what follows.
type script struct{ rest []byte }

func (s *script) byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// size is small, or any up to 64 KiB.
func (s *script) size() int {
	b := int(s.byte())
	if b < 0xC0 {
		return b
	}
	return b<<8 | int(s.byte())
}

// A talk is a sending half and the receiving half that it sends to, with what is on the way between
// them, beside what a reader must see.
type talk struct {
	*script
	t      *testing.T
	typ    sock.Type
	out    *sock.Outbox
	in     *sock.Inbox
	way    []transit
	back   []news
	queue  []message // delivered, at least in part, and not read
	whole  int       // so many of them can be read
	half   bool      // a message has come in part
	said   int       // bytes
	rights int       // how many descriptors the Inbox takes ahead of its reader
	live   []*descs
	bufs   []*buffer
}

// A transit is a packet on the way, or news of the sender's window.
type transit struct {
	window uint32
	sock.Arrival
	message
	begin, end int // its bytes, numbers in the pattern
	more       bool
}

// News are what the receiving end tells the sending one: a credit, or the hello of an end that has
// moved.
type news struct {
	sock.Credit
	hello bool
}

// A message is what a reader must see: on a stream what one packet brought, else a record.
type message struct {
	begin, end int
	descs      *descs
	luggage    int // weight of what comes in front of it
	lost       bool
	creds      uint32
}

func newTalk(t *testing.T, b []byte) *talk {
	s := &script{b}
	typ := []sock.Type{sock.Stream, sock.Seqpacket, sock.Datagram}[s.byte()%3]
	rights := []int{0, 253, sock.RightsWindow}[s.byte()%3]
	k := &talk{script: s, t: t, typ: typ, out: sock.NewOutbox(typ), in: sock.NewInbox(typ, rights), rights: rights}
	k.in.TellApart(true)
	k.out.Grant(k.in.Granted())
	return k
}

// period is that of the bytes that are said, which are parts of pattern.
const period = 251 * 257

var pattern = func() (b [2*period + sock.MaxWindow]byte) {
	for i := range b {
		b[i] = byte(i % period % 251)
	}
	return b
}()

// said returns bytes begin to end of what is said.
func said(begin, end int) []byte { return pattern[begin%period:][: end-begin : end-begin] }

// room is where reads go to.
var room [1 << 20]byte

// send sends what there is room for, in as many packets as the script wants.
func (k *talk) send() {
	n := min(k.size(), k.out.MaxMessage())
	if k.typ == sock.Stream {
		n = min(max(n, 1), k.out.MaxPiece())
	}
	m := message{begin: k.said, end: k.said + n, creds: uint32(k.byte() % 3)}
	var luggage []sock.Arrival
	weight := 0
	if d := int(k.byte()); d > 0 {
		m.descs, m.lost = &descs{n: min(d, 253)}, k.byte() < 32
		for range k.byte() % 3 {
			a := sock.Arrival{Bytes: k.size(), Rights: int(k.byte() % 9), Luggage: true}
			luggage = append(luggage, a)
			m.luggage += a.Weight()
		}
		weight = m.descs.n + m.luggage
	}
	if weight > sock.MaxWeight || !k.out.Room(weight) {
		return
	}
	k.said += n
	for _, a := range luggage {
		k.put(transit{Arrival: a, message: m})
	}
	for at := m.begin; ; {
		cut := m.end
		if k.typ != sock.Stream && k.byte()&1 != 0 {
			cut = min(at+max(k.size(), 32_000), m.end)
		}
		p := transit{message: m, begin: at, end: cut, more: cut < m.end}
		p.Bytes, p.Continued = cut-at, at > m.begin
		if !p.Continued && m.descs != nil {
			p.Rights = m.descs.n
		}
		k.put(p)
		if at = cut; !p.more {
			return
		}
	}
}

func (k *talk) put(p transit) {
	k.out.Sent(p.Arrival)
	k.way = append(k.way, p)
}

// deliver lets the next packet arrive, with its first bytes right in into. Whatever the Outbox had
// room for must be admitted.
func (k *talk) deliver(into []byte) {
	if len(k.way) == 0 {
		return
	}
	p := k.way[0]
	k.way = k.way[1:]
	if p.window != 0 {
		k.must(k.in.SetWindow(p.window))
		k.credit() // what it was worth waiting for under the old window may be overdue under this
		return
	}
	if err := k.in.Admit(p.Arrival); err != nil {
		k.t.Fatalf("there was room for %+v, but: %v", p.Arrival, err)
	}
	if k.half = p.Luggage || p.more; p.Luggage {
		return
	}
	b := new(buffer)
	k.bufs = append(k.bufs, b)
	s := sock.Segment{Data: said(p.begin, p.end), Buffer: b, Creds: p.creds, More: p.more, Continued: p.Continued}
	if p.descs == nil && k.typ == sock.Stream && len(into) > 0 {
		s.Placed = copy(into, s.Data)
		s.Data = slices.Clone(s.Data)
		clear(s.Data[:s.Placed]) // they are not there
	}
	if !p.Continued {
		k.arrive(p.message, &s)
	}
	wake, err := k.in.Put(s)
	if k.must(err); wake == p.more {
		k.t.Fatalf("woken %t by a packet with more %t", wake, p.more)
	}
	if !p.more {
		k.whole++
	}
}

// arrive books the first packet of m, which is s.
func (k *talk) arrive(m message, s *sock.Segment) {
	switch {
	case m.descs != nil && m.lost:
		k.in.Refund(m.descs.n + m.luggage)
		s.Lost = true
		m.descs = nil
		k.credit()
	case m.descs != nil:
		s.Rights, s.Luggage = m.descs, m.luggage
		k.live = append(k.live, m.descs)
	}
	k.queue = append(k.queue, m)
}

func (k *talk) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// credit sends what the sender should be told.
func (k *talk) credit() {
	if c, due := k.in.CreditDue(); due {
		k.back = append(k.back, news{Credit: c})
	}
}

func (k *talk) deliverNews() {
	if len(k.back) == 0 {
		return
	}
	if n := k.back[0]; n.hello {
		k.must(k.out.Raise(n.Rights))
	} else {
		k.must(k.out.Credit(n.Credit))
	}
	k.back = k.back[1:]
}

// read reads or peeks, and compares.
func (k *talk) read(peek bool, n int) {
	if k.in.Ready() != (k.whole > 0) || k.in.Records() < k.whole {
		k.t.Fatalf("ready is %t with %d messages", k.in.Ready(), k.whole)
	}
	if k.whole == 0 {
		return
	}
	b := room[:n]
	if peek {
		k.compare(b, k.in.Peek(b), true)
		return
	}
	k.compare(b, k.in.Read(b), false)
	k.credit()
}

// compare fails unless r is what a read into b must give (docs/CONFORMANCE.md): on a stream bytes
// up to descriptors that came with the last of them, or to a change of credentials (rows 17, 26,
// 27, 30, 71, 134), else a record (row 171).
func (k *talk) compare(b []byte, r sock.Result, peek bool) {
	var want message
	n, taken := 0, 0
	for i, m := range k.queue[:k.whole] {
		if i > 0 && (m.creds != want.creds || n == len(b) && !(peek && want.descs == nil && !want.lost)) {
			break
		}
		want.creds = m.creds
		part := min(len(b)-n, m.end-m.begin)
		if !bytes.Equal(b[n:n+part], said(m.begin, m.begin+part)) {
			k.t.Fatalf("message %d has other bytes", i)
		}
		n += part
		if m.descs != nil || m.lost {
			want.descs, want.lost = m.descs, m.lost
		}
		if k.typ == sock.Stream && !peek {
			k.queue[i].begin, k.queue[i].descs, k.queue[i].lost = m.begin+part, nil, false
		}
		if cut := part < m.end-m.begin; k.typ != sock.Stream || cut && !peek {
			if r.Truncated != (k.typ != sock.Stream && cut) {
				k.t.Fatalf("cut off is %t", r.Truncated)
			}
			taken += map[bool]int{true: 1}[k.typ != sock.Stream]
			break
		}
		if taken++; m.descs != nil || m.lost {
			break
		}
	}
	got, _ := r.Rights.(*descs)
	if r.N != n || got != want.descs || r.Lost != want.lost || r.Creds != want.creds {
		k.t.Fatalf("a read of %d (peek %t) gave %d bytes, lost %t, credentials %d, descriptors %p; want %d, %t, %d, %p",
			len(b), peek, r.N, r.Lost, r.Creds, got, n, want.lost, want.creds, want.descs)
	}
	if peek {
		return
	}
	if got != nil {
		got.Discard() // the reader has them
	}
	k.queue, k.whole = k.queue[taken:], k.whole-taken
}

// await is a Read that waits, and has bytes put right into its buffer; it may give up before it
// takes them.
func (k *talk) await(n int, giveUp bool) {
	b := room[:n]
	for range 3 {
		if k.in.Ready() && !k.in.Wants(n) || k.in.Bytes() > n {
			break
		}
		if k.typ == sock.Stream {
			k.deliver(b[k.in.Bytes():])
		} else {
			k.deliver(nil)
		}
	}
	if giveUp || !k.in.Ready() {
		k.in.Unplace(b)
		return
	}
	r := k.in.Read(b)
	k.in.Unplace(b[r.N:])
	k.compare(b, r, false)
	k.credit()
}

// move makes both halves anew in another process.
func (k *talk) move() {
	state, segments := k.in.Look()
	in, err := sock.RestoreInbox(k.typ, state, unpacked(segments))
	k.must(err)
	in.TellApart(true)
	k.in = in
	k.back = append(k.back, news{Credit: sock.Credit{Rights: in.Granted()}, hello: true})
	k.out, err = sock.RestoreOutbox(k.typ, k.out.Look())
	k.must(err)
}

// unpacked are segments as whoever takes over a socket makes them anew. Nobody knows there what
// came in front of a message.
func unpacked(segments []sock.Segment) []sock.Segment {
	anew := make([]sock.Segment, len(segments))
	for i, s := range segments {
		anew[i] = sock.Segment{
			Data: s.Data, Buffer: s.Buffer, Rights: s.Rights, Lost: s.Lost, Creds: s.Creds, More: s.More, Continued: s.Continued,
		}
	}
	return anew
}

// step is one thing that happens.
func (k *talk) step() {
	switch k.byte() % 11 {
	case 0, 1:
		k.send()
	case 2, 3:
		k.deliver(nil)
	case 4:
		k.deliverNews()
	case 5:
		k.read(k.byte()&1 != 0, k.size())
	case 6:
		k.await(k.size(), k.byte()&1 != 0)
	case 7:
		k.way = append(k.way, transit{window: k.out.SetBuffer(k.size() * 8)})
	case 8:
		k.in.Grant(sock.RightsWindow)
		k.rights = sock.RightsWindow
		k.credit()
	case 9:
		if !k.half {
			k.move()
		}
	case 10:
		if k.typ != sock.Stream && !k.half {
			k.discard(int(k.byte()))
		}
	}
}

// discard discards all records but the first n.
func (k *talk) discard(n int) {
	k.in.Keep(n)
	closeDiscarded(k.in)
	k.queue = k.queue[:min(n, k.whole)]
	k.whole = len(k.queue)
	k.credit()
}

// settle lets everything arrive and be read. After that nobody may be held up, and nothing be left.
func (k *talk) settle() {
	for len(k.way)+len(k.back)+len(k.queue) > 0 {
		k.deliver(nil)
		k.read(false, 1<<20)
		k.deliverNews()
	}
	if k.in.Ready() || k.in.Queued() || k.in.Bytes() > 0 {
		k.t.Fatal("something is left that nobody sent")
	}
	if !k.out.Room(0) || k.rights >= 253 && !k.out.Room(253) || k.rights == sock.RightsWindow && !k.out.Room(sock.MaxWeight) {
		k.t.Fatal("everything has been read, and the sender is held up")
	}
	for _, b := range k.bufs {
		if b.released != 1 {
			k.t.Fatalf("a buffer was released %d times", b.released)
		}
	}
	for _, d := range k.live {
		if d.closed != 1 {
			k.t.Fatalf("descriptors were given %d times", d.closed)
		}
	}
}

// Of two ends that keep to the rules: whatever a sender finds room for is admitted; everything is
// read once, in order, with every boundary where Linux has it, wherever the bytes were put and the
// ends move; and whoever waits for credit gets it in the end.
func FuzzTalk(f *testing.F) {
	for _, typ := range []byte{0, 1, 2} {
		f.Add([]byte{typ, 2})
		f.Add([]byte{typ, 1, 0, 5, 1, 0, 0, 9, 2, 0, 2, 2, 5, 1, 9, 5, 0, 9})
		f.Add([]byte{typ, 1, 0, 5, 1, 3, 200, 1, 9, 4, 0, 9, 1, 0, 2, 2, 9, 5, 0, 3, 5, 0, 9})
		f.Add([]byte{typ, 2, 0, 0xF0, 1, 2, 0, 1, 0xC0, 1, 0xC0, 2, 2, 6, 0xF0, 9, 0, 6, 0xF0, 9, 1, 4})
		f.Add([]byte{typ, 2, 0, 5, 1, 9, 200, 0, 0, 5, 1, 9, 200, 0, 2, 2, 10, 1, 5, 0, 9})
		f.Add([]byte{typ, 0, 7, 1, 2, 0, 0xFF, 1, 0, 0, 8, 0, 9, 0, 250, 200, 0, 2, 2, 5, 0, 255, 255})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<10 {
			t.Skip()
		}
		k := newTalk(t, b)
		for len(k.rest) > 0 {
			k.step()
		}
		k.settle()
	})
}
