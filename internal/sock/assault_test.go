package sock_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"afunix/internal/sock"
)

// number is small, or any.
func (s *script) number() uint64 {
	b := s.byte()
	if b < 0xF0 {
		return uint64(b)
	}
	var raw [8]byte
	s.rest = s.rest[copy(raw[:], s.rest):]
	return binary.LittleEndian.Uint64(raw[:])
}

// An assault is both halves of a socket whose peer keeps to no rule, beside the books that have to
// balance whatever that says.
type assault struct {
	*script
	t       *testing.T
	typ     sock.Type
	in      *sock.Inbox
	out     *sock.Outbox
	over    bool // something was refused: the connection has ended, and nothing comes any more
	closed  bool
	granted uint64
	arrived uint64 // descriptors, with the weight of luggage
	got     []*descs
	bufs    []*buffer
	told    sock.Credit

	transfers []*sock.Transfer
	parked    []*copies
	sent      uint64
	limit     uint64
	consumed  uint64
}

func newAssault(t *testing.T, b []byte) *assault {
	s := &script{b}
	a := &assault{script: s, t: t, typ: []sock.Type{sock.Stream, sock.Seqpacket, sock.Datagram}[s.byte()%3]}
	a.in, a.out = sock.NewInbox(a.typ, 253), sock.NewOutbox(a.typ)
	a.granted = a.in.Granted()
	return a
}

// judge takes in what the halves say of something that the peer has done.
func (a *assault) judge(err error) {
	a.t.Helper()
	if err != nil && !errors.Is(err, sock.ErrProtocol) {
		a.t.Fatal(err)
	}
	a.over = a.over || err != nil
}

// data is a packet of data, as package endpoint takes it in.
func (a *assault) data() {
	how := a.byte()
	n := a.size()
	arrival := sock.Arrival{Bytes: n, Continued: how&1 != 0, Luggage: how&2 != 0}
	if how&4 != 0 && !arrival.Continued { // package wire lets descriptors come with the first piece only
		arrival.Rights = int(a.byte())
	}
	err := a.in.Admit(arrival)
	if a.judge(err); err != nil {
		return
	}
	a.arrived += uint64(arrival.Weight())
	if a.arrived > a.granted {
		a.t.Fatalf("%d descriptors were admitted, %d granted", a.arrived, a.granted)
	}
	if arrival.Luggage {
		return
	}
	b := new(buffer)
	a.bufs = append(a.bufs, b)
	s := sock.Segment{Data: pattern[:n:n], Buffer: b, Creds: uint32(how >> 6), More: how&8 != 0, Continued: arrival.Continued}
	switch {
	case arrival.Rights > 0 && how&16 != 0:
		s.Lost = true
		a.in.Refund(arrival.Rights)
	case arrival.Rights > 0:
		d := &descs{n: arrival.Rights}
		a.got = append(a.got, d)
		s.Rights = d
	}
	wake, err := a.in.Put(s)
	closeDiscarded(a.in)
	if a.judge(err); wake != (err == nil && !s.More && !a.closed) {
		a.t.Fatalf("woken %t by a packet with more %t: %v", wake, s.More, err)
	}
}

// read reads, peeks, or has records discarded.
func (a *assault) read() {
	how, n := a.byte(), a.size()
	if how%4 == 3 {
		a.in.Keep(n)
		closeDiscarded(a.in)
		return
	}
	if !a.in.Ready() {
		return
	}
	if how%4 == 2 {
		a.in.Peek(room[:n])
		return
	}
	if r := a.in.Read(room[:n]); r.Rights != nil {
		r.Rights.Discard()
	}
}

// credit tells the peer what it may send.
func (a *assault) credit() {
	c, due := a.in.CreditDue()
	if !due {
		return
	}
	if c.Consumed < a.told.Consumed || c.Rights < a.told.Rights {
		a.t.Fatalf("credit %+v after %+v", c, a.told)
	}
	a.told, a.granted = c, c.Rights
}

// end is one of the ways in which something ends, or the news of it.
func (a *assault) end() {
	ends := []func(){
		a.in.Shut, a.in.Finish, a.in.Leave, a.in.Reset, a.in.Fail, func() { a.in.End() },
		a.out.Deafen, a.out.Lose, func() { a.out.Shut() },
	}
	ends[int(a.byte())%len(ends)]()
}

// track sends something that will be acknowledged.
func (a *assault) track() {
	bytes, rights := a.size(), int(a.byte())
	if !a.out.Room(rights) {
		return
	}
	if a.sent-a.consumed >= uint64(a.out.Window()) {
		a.t.Fatalf("room beyond the window: %d", a.sent-a.consumed)
	}
	a.out.Sent(sock.Arrival{Bytes: bytes, Rights: rights})
	a.sent += sock.Cost(bytes)
	t, c := new(sock.Transfer), new(copies)
	a.out.Track(t, c)
	a.transfers, a.parked = append(a.transfers, t), append(a.parked, c)
	if t.Serial() != uint64(len(a.transfers)) {
		a.t.Fatalf("transfer %d has number %d", len(a.transfers), t.Serial())
	}
}

// answer is what the peer says of what was sent to it.
func (a *assault) answer() {
	was := a.out.Outstanding()
	switch a.byte() % 5 {
	case 0:
		n := a.number()
		err := a.out.Ack(n)
		if a.judge(err); err == nil && n > uint64(len(a.transfers)) {
			a.t.Fatalf("an acknowledgement of %d, when %d were sent", n, len(a.transfers))
		}
	case 1:
		a.judge(a.out.Refuse(a.number(), sock.Refused))
	case 2:
		c := sock.Credit{Consumed: a.number(), Rights: a.number()}
		if err := a.out.Credit(c); err != nil {
			a.judge(err)
			return
		}
		if c.Consumed > a.sent || c.Consumed < a.consumed || c.Rights < a.limit {
			a.t.Fatalf("%+v was believed, after %d of %d bytes, and %d descriptors", c, a.consumed, a.sent, a.limit)
		}
		a.consumed, a.limit = c.Consumed, c.Rights
	case 3:
		n := a.number()
		if err := a.out.Raise(n); err != nil {
			a.judge(err)
			return
		}
		if n < a.limit {
			a.t.Fatalf("a hello took %d descriptors back", a.limit-n)
		}
		a.limit = n
	case 4:
		a.judge(a.in.SetWindow(uint32(a.number() * 8192)))
	}
	if a.out.Outstanding() > was {
		a.t.Fatal("an answer has made something outstanding")
	}
}

// step is one thing that happens.
func (a *assault) step() {
	switch a.byte() % 9 {
	case 0, 1, 2:
		if !a.over {
			a.data()
		}
	case 3:
		a.read()
	case 4:
		a.credit()
	case 5:
		a.end()
	case 6:
		a.track()
	case 7:
		if !a.over {
			a.answer()
		}
	case 8:
		a.rarely()
	}
	a.check()
}

func (a *assault) rarely() {
	switch a.byte() % 8 {
	case 0:
		a.closed = true
		a.in.Close()
		closeDiscarded(a.in)
	case 1:
		a.in.Grant(sock.RightsWindow)
	case 2:
		a.out.SetBuffer(int(a.number()))
	case 3:
		state, segments := a.in.Look()
		if !a.closed && !a.over && !state.Failed {
			a.move(state, segments)
		}
	}
}

// move makes the Inbox anew. Of what a socket is made of that has kept to its bounds nothing is
// refused, and nothing but luggage that belongs to no message is lost.
func (a *assault) move(state sock.InboxState, segments []sock.Segment) {
	in, err := sock.RestoreInbox(a.typ, state, unpacked(segments))
	if err != nil {
		a.t.Fatalf("%+v with %d segments: %v", state, len(segments), err)
	}
	again, same := in.Look()
	if len(same) != len(segments) || in.Ready() != a.in.Ready() || in.Bytes() != a.in.Bytes() || in.Records() != a.in.Records() {
		a.t.Fatalf("%d segments became %d", len(segments), len(same))
	}
	if owed := again.Arrived - again.Consumed; owed != uint64(in.Bytes()+len(same)*int(sock.Cost(0))) {
		a.t.Fatalf("%d bytes in %d segments, for which %d is owed", in.Bytes(), len(same), owed)
	}
	again.Consumed, again.RightsConsumed = state.Consumed, state.RightsConsumed
	if again != state {
		a.t.Fatalf("%+v became %+v", state, again)
	}
	a.in = in
}

// check holds at every time.
func (a *assault) check() {
	queued, held := 0, 0
	for _, b := range a.bufs {
		if queued += 1 - b.released; b.released > 1 {
			a.t.Fatal("a buffer was released twice")
		}
	}
	for _, d := range a.got {
		if held += d.n * (1 - d.closed); d.closed > 1 {
			a.t.Fatal("descriptors were given away twice")
		}
	}
	if cost := a.in.Bytes() + queued*int(sock.Cost(0)); cost > 3*sock.MaxWindow {
		a.t.Fatalf("%d bytes in %d segments are queued", a.in.Bytes(), queued)
	}
	if held > sock.RightsWindow {
		a.t.Fatalf("%d descriptors are held", held)
	}
	if ready := a.in.Records() > 0; a.in.Ready() != ready || ready && !a.in.Queued() || a.closed && a.in.Queued() {
		a.t.Fatalf("ready is %t with %d records, queued is %t", a.in.Ready(), a.in.Records(), a.in.Queued())
	}
	open := 0
	for i, t := range a.transfers {
		c := a.parked[i]
		ended := c.released + c.takenBack + c.declined
		if ended > 1 || (ended == 0) != (t.Fate == sock.Written) {
			a.t.Fatalf("transfer %d of fate %d has been let go %d times", i, t.Fate, ended)
		}
		open += 1 - ended
	}
	if open != a.out.Outstanding() {
		a.t.Fatalf("%d transfers are open, %d outstanding", open, a.out.Outstanding())
	}
}

// settle ends the socket. Nothing of it may be left.
func (a *assault) settle(how int) {
	switch how {
	case 0:
		a.out.Farewell()
	case 1:
		a.out.Bury()
	case 2:
		for _, p := range a.out.Sever() {
			p.Release()
		}
	}
	a.in.Fail()
	a.in.Close()
	closeDiscarded(a.in)
	a.closed = true
	a.check()
	if !a.out.Broken() || !a.out.Gone() || a.out.Outstanding() != 0 {
		a.t.Fatal("a connection that has ended can be written to, or has something outstanding")
	}
	for _, b := range a.bufs {
		if b.released != 1 {
			a.t.Fatal("a buffer is left")
		}
	}
	for _, d := range a.got {
		if d.closed != 1 {
			a.t.Fatal("descriptors are left")
		}
	}
}

// Whatever a peer does: what is refused is a protocol error; no more is queued, and no more
// descriptors are held, than is bounded; each buffer is released once, and each descriptor is given
// away once, or closed; each transfer ends once, and nothing is believed that cannot be.
func FuzzAssault(f *testing.F) {
	for _, typ := range []byte{0, 1, 2} {
		f.Add([]byte{typ})
		f.Add([]byte{typ, 0, 0, 9, 0, 4, 9, 3, 3, 0, 200, 3, 1, 5, 4, 0, 0, 0xFF, 0xFF, 3, 0, 0xFF, 4})
		f.Add([]byte{typ, 0, 2, 9, 0, 6, 9, 3, 0, 4, 9, 3, 8, 3, 3, 0, 200})
		f.Add([]byte{typ, 0, 8, 9, 0, 9, 9, 0, 1, 9, 3, 2, 4, 3, 0, 4, 3, 3, 0})
		f.Add([]byte{typ, 7, 2, 0, 250, 6, 9, 3, 6, 1, 1, 7, 0, 1, 7, 1, 2, 7, 2, 200, 253, 7, 3, 255})
		f.Add([]byte{typ, 6, 200, 0, 7, 2, 200, 5, 7, 2, 100, 5})
		f.Add(append([]byte{typ}, bytes.Repeat([]byte{0, 0, 0xFF, 0xFF}, 100)...)) // more than any window
		f.Add([]byte{typ, 0, 0, 9, 5, 3, 5, 5, 3, 0, 5, 8, 0, 0, 0, 3})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<10 {
			t.Skip()
		}
		a := newAssault(t, b)
		for len(a.rest) > 0 {
			a.step()
		}
		a.settle(len(b) % 3)
	})
}
