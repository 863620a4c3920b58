package sock_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"afunix/internal/sock"
)

// A mark says what belongs to one byte of a stream beside its value, or to one record.
type mark struct {
	value byte
	piece int    // the segment that it came in
	first bool   // it is the first byte of that
	descs *descs // which came with that, as long as they have not been read
	lost  bool
	creds uint32
}

// A link is an Outbox and the Inbox that it sends to, with what is on the way between them, beside
// a model of what a reader must see: for a stream the bytes, each with its mark.
type link struct {
	typ    sock.Type
	out    *sock.Outbox
	in     *sock.Inbox
	wire   []packet      // data and options, in order
	back   []sock.Credit // credits, in order
	stream []mark        // what has been delivered and not been read
	pieces int
	window int // the largest so far
	rights int // how many descriptors the Inbox takes

	buffers []*buffer
}

// A packet is data, or news of the sender's window.
type packet struct {
	window uint32
	data   []byte
	descs  *descs
	lost   bool
	creds  uint32
}

func newLink(t *rapid.T, rightsWindow int) *link {
	l := &link{
		typ:    sock.Stream,
		out:    sock.NewOutbox(sock.Stream),
		in:     sock.NewInbox(sock.Stream, rightsWindow),
		window: sock.DefaultWindow,
		rights: rightsWindow,
	}
	l.in.TellApart(true)
	l.out.Grant(l.in.Granted())
	return l
}

// send sends what there is room for, as the engine would.
func (l *link) send(t *rapid.T) {
	data := make([]byte, rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(1, l.out.MaxPiece())).Draw(t, "bytes"))
	n := rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 253)).Draw(t, "descriptors")
	if !l.out.Room(n) {
		return
	}
	for i := range data {
		data[i] = byte(l.pieces + i)
	}
	p := packet{data: data, creds: rapid.Uint32Range(0, 2).Draw(t, "credentials")}
	if n > 0 {
		p.descs = &descs{n: n}
		p.lost = rapid.IntRange(0, 4).Draw(t, "lost") == 0
	}
	l.out.Sent(sock.Arrival{Bytes: len(data), Rights: n})
	l.wire = append(l.wire, p)
	l.pieces++
}

// resize changes the sender's window.
func (l *link) resize(t *rapid.T) {
	w := rapid.SampledFrom([]int{0, 9000, 100000, sock.DefaultBuffer, sock.MaxWindow}).Draw(t, "buffer")
	l.wire = append(l.wire, packet{window: l.out.SetBuffer(w)})
	l.window = max(l.window, int(l.out.Window()))
}

// deliver lets the next packet arrive. Whatever the Outbox had room for must be admitted.
func (l *link) deliver(t *rapid.T) {
	if len(l.wire) == 0 {
		return
	}
	p := l.wire[0]
	l.wire = l.wire[1:]
	if p.window != 0 {
		if err := l.in.SetWindow(p.window); err != nil {
			t.Fatal(err)
		}
		l.credit() // what it was worth waiting for under the old window may be overdue under this
		return
	}
	n := 0
	if p.descs != nil {
		n = p.descs.n
	}
	if err := l.in.Admit(sock.Arrival{Bytes: len(p.data), Rights: n}); err != nil {
		t.Fatalf("there was room for %d bytes and %d descriptors, but: %v", len(p.data), n, err)
	}
	s := sock.Segment{Data: p.data, Buffer: new(buffer), Creds: p.creds}
	l.buffers = append(l.buffers, s.Buffer.(*buffer))
	switch {
	case p.lost:
		s.Lost = true
		l.in.Refund(n)
	case p.descs != nil:
		s.Rights = p.descs
	}
	for i, b := range p.data {
		m := mark{value: b, piece: len(l.buffers), first: i == 0, creds: p.creds}
		if i == 0 && p.lost {
			m.lost = true
		} else if i == 0 {
			m.descs = p.descs
		}
		l.stream = append(l.stream, m)
	}
	if _, err := l.in.Put(s); err != nil {
		t.Fatal(err)
	}
}

// deliverCredit lets the sender learn what has been read.
func (l *link) deliverCredit(t *rapid.T) {
	if len(l.back) == 0 {
		return
	}
	if err := l.out.Credit(l.back[0]); err != nil {
		t.Fatal(err)
	}
	l.back = l.back[1:]
}

// credit sends what the sender should be told.
func (l *link) credit() {
	if c, due := l.in.CreditDue(); due {
		l.back = append(l.back, c)
	}
}

// expected is what a read of room bytes must give, by the rules of docs/CONFORMANCE.md: descriptors
// come with the first byte of their segment, or with a read of nothing (17); a read merges (134) up
// to the end of a segment whose descriptors it brought (26, 27, 30), or a change of credentials
// (71). A peek shows the next descriptors, wherever they are.
func (l *link) expected(room int, peek bool) (r read) {
	var taken []byte
	bound := 0 // the segment beyond which nothing is taken
	for i, m := range l.stream {
		if i > 0 && (i >= room && !peek || m.creds != r.creds || bound != 0 && m.piece != bound) {
			break
		}
		r.creds = m.creds
		if m.descs != nil || m.lost {
			r.rights, r.lost, bound = m.descs, m.lost, m.piece
		}
		if i < room {
			taken = append(taken, m.value)
		}
	}
	r.want = string(taken)
	return r
}

// read reads or peeks, and compares.
func (l *link) read(t *rapid.T, peek bool, room int) {
	if l.in.Ready() != (len(l.stream) > 0) {
		t.Fatalf("ready is %t with %d bytes queued", l.in.Ready(), len(l.stream))
	}
	if !l.in.Ready() {
		return
	}
	want := l.expected(room, peek)
	got := do(l.in, read{peek: peek, room: room})
	want.peek, want.room = peek, room
	if got != want {
		t.Fatalf("a read of %d (peek %t) gave %d bytes, %+v, want %d bytes, %+v",
			room, peek, len(got.want), brief(got), len(want.want), brief(want))
	}
	if peek {
		return
	}
	if room == 0 {
		l.stream[0].descs, l.stream[0].lost = nil, false
	}
	l.stream = l.stream[len(want.want):]
	l.credit()
}

func brief(r read) read {
	r.want = ""
	return r
}

// check holds at every time.
func (l *link) check(t *rapid.T) {
	queued := 0
	for _, b := range l.buffers {
		if b.released > 1 {
			t.Fatal("a buffer was released twice")
		}
		queued += 1 - b.released
	}
	if bound := l.window/int(sock.Cost(0)) + 1; queued > bound {
		t.Fatalf("%d segments are queued under a window of %d", queued, l.window)
	}
}

// settle lets everything arrive and be read. After that nobody may be held up.
func (l *link) settle(t *rapid.T) {
	for len(l.wire)+len(l.back)+len(l.stream) > 0 {
		l.deliver(t)
		l.read(t, false, 1<<20)
		l.deliverCredit(t)
	}
	if l.in.Ready() {
		t.Fatal("something is left that nobody sent")
	}
	if !l.out.Room(0) {
		t.Fatal("everything has been read, and the sender is held up")
	}
	if l.rights >= 253 && !l.out.Room(253) {
		t.Fatal("everything has been read, and a sender of descriptors is held up")
	}
	for _, b := range l.buffers {
		if b.released != 1 {
			t.Fatal("a buffer was not released")
		}
	}
}

// A peer that is held up always gets its credit; nothing is lost, and every boundary is where Linux
// has it.
func TestStreamModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLink(t, rapid.SampledFrom([]int{0, 253, sock.RightsWindow}).Draw(t, "rights window"))
		t.Repeat(map[string]func(*rapid.T){
			"send":    l.send,
			"deliver": l.deliver,
			"credit":  l.deliverCredit,
			"resize":  l.resize,
			"read": func(t *rapid.T) {
				l.read(t, false, rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(0, 1<<18)).Draw(t, "room"))
			},
			"peek": func(t *rapid.T) {
				l.read(t, true, rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(0, 1<<18)).Draw(t, "room"))
			},
			"accept": func(*rapid.T) {
				l.in.Grant(sock.RightsWindow)
				l.rights = sock.RightsWindow
				l.credit()
			},
			"": l.check,
		})
		l.settle(t)
	})
}

// A rec is a record that was sent, in pieces.
type rec struct {
	data  []byte
	descs *descs
	creds uint32
}

// Records come whole and in order, whatever their pieces; what does not fit into a buffer is lost;
// and whoever waits for room gets it.
func TestRecordModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]sock.Type{sock.Seqpacket, sock.Datagram}).Draw(t, "type")
		out, in := sock.NewOutbox(typ), sock.NewInbox(typ, 253)
		out.Grant(in.Granted())
		var queue []rec
		var credits []sock.Credit
		read := func(t *rapid.T, peek bool, room int) {
			if in.Ready() != (len(queue) > 0) {
				t.Fatalf("ready is %t with %d records", in.Ready(), len(queue))
			}
			if len(queue) == 0 {
				return
			}
			want := queue[0]
			buf := make([]byte, room)
			var r sock.Result
			if peek {
				r = in.Peek(buf)
			} else {
				r = in.Read(buf)
				queue = queue[1:]
			}
			n := min(room, len(want.data))
			got, _ := r.Rights.(*descs)
			if string(buf[:r.N]) != string(want.data[:n]) || r.Truncated != (n < len(want.data)) || got != want.descs ||
				r.Creds != want.creds {
				t.Fatalf("%d of %d bytes in a buffer of %d: %+v", r.N, len(want.data), room, r)
			}
			if c, due := in.CreditDue(); due {
				credits = append(credits, c)
			}
		}
		credit := func(t *rapid.T) {
			if len(credits) == 0 {
				return
			}
			if err := out.Credit(credits[0]); err != nil {
				t.Fatal(err)
			}
			credits = credits[1:]
		}
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				n := rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(0, out.MaxMessage())).Draw(t, "bytes")
				d := rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 253)).Draw(t, "descriptors")
				if !out.Room(d) {
					return
				}
				r := rec{data: make([]byte, n), creds: rapid.Uint32Range(0, 2).Draw(t, "credentials")}
				if d > 0 {
					r.descs = &descs{n: d}
				}
				for i := range r.data {
					r.data[i] = byte(i + n)
				}
				for at := 0; ; {
					k := rapid.OneOf(rapid.IntRange(0, n-at), rapid.Just(n-at)).Draw(t, "piece")
					s := sock.Segment{Data: append([]byte(nil), r.data[at:at+k]...), Continued: at > 0, Creds: r.creds}
					if at+k < n && k > 0 {
						s.More = true
					} else {
						k = n - at
						s.Data = append([]byte(nil), r.data[at:]...)
					}
					have := 0
					if at == 0 {
						if have = d; d > 0 {
							s.Rights = r.descs
						}
					}
					if err := in.Admit(sock.Arrival{Bytes: len(s.Data), Rights: have, Continued: s.Continued}); err != nil {
						t.Fatal(err)
					}
					out.Sent(sock.Arrival{Bytes: len(s.Data), Rights: have})
					if wake, err := in.Put(s); err != nil || wake == s.More {
						t.Fatalf("woken %t with more %t, %v", wake, s.More, err)
					}
					if at += k; at == n {
						break
					}
				}
				queue = append(queue, r)
			},
			"read": func(t *rapid.T) {
				read(t, false, rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(0, 1<<20)).Draw(t, "room"))
			},
			"peek": func(t *rapid.T) {
				read(t, true, rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(0, 1<<20)).Draw(t, "room"))
			},
			"credit": credit,
		})
		for len(queue)+len(credits) > 0 {
			read(t, false, 9)
			credit(t)
		}
		if !out.Room(253) {
			t.Fatal("everything has been read, and the sender is held up")
		}
	})
}

// Nothing that a peer sends makes the halves panic; whatever they refuse is a protocol error.
func TestAnythingFromAPeer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]sock.Type{sock.Stream, sock.Seqpacket}).Draw(t, "type")
		out, in := sock.NewOutbox(typ), sock.NewInbox(typ, 253)
		var failed error
		verify := func(t *rapid.T, err error) {
			if err != nil && !errors.Is(err, sock.ErrProtocol) {
				t.Fatal(err)
			}
			if err != nil {
				failed = err
			}
		}
		number := rapid.OneOf(rapid.Uint64Range(0, 9), rapid.Uint64())
		t.Repeat(map[string]func(*rapid.T){
			"data": func(t *rapid.T) {
				if failed != nil {
					t.Skip("the connection has ended")
				}
				n := rapid.IntRange(0, 65519).Draw(t, "bytes")
				s := sock.Segment{Data: make([]byte, n), More: rapid.Bool().Draw(t, "more"), Continued: rapid.Bool().Draw(t, "continued")}
				if err := in.Admit(sock.Arrival{Bytes: n, Rights: rapid.IntRange(0, 253).Draw(t, "descriptors"), Continued: s.Continued}); err != nil {
					verify(t, err)
					return
				}
				_, err := in.Put(s)
				verify(t, err)
			},
			"window": func(t *rapid.T) { verify(t, in.SetWindow(uint32(number.Draw(t, "window")))) },
			"ack":    func(t *rapid.T) { verify(t, out.Ack(number.Draw(t, "serial"))) },
			"credit": func(t *rapid.T) {
				verify(t, out.Credit(sock.Credit{Consumed: number.Draw(t, "consumed"), Rights: number.Draw(t, "rights")}))
			},
			"track": func(*rapid.T) { out.Track(new(sock.Transfer), nil) },
			"sent":  func(*rapid.T) { out.Sent(sock.Arrival{Bytes: 5, Rights: 1}) },
			"read": func(*rapid.T) {
				if in.Ready() {
					in.Read(make([]byte, 1000))
				}
			},
			"close": func(*rapid.T) { in.Close() },
		})
		in.Fail()
		out.Sever()
		in.Close()
		if in.Ready() || out.Outstanding() != 0 {
			t.Fatal("something is left")
		}
	})
}
