package sock_test

import (
	"errors"
	"strings"
	"testing"

	"afunix/internal/sock"
)

// a, b are descriptors that came with messages.
var a, b = &descs{n: 1}, &descs{n: 2}

// A read is one recvmsg, or a peek, into a buffer of room bytes, and what it gives.
type read struct {
	peek      bool
	room      int
	want      string
	rights    *descs
	lost      bool
	creds     uint32
	truncated bool
}

// alike is the case of a reader that does not want credentials.
const alike = "row 71: a reader that wants no credentials reads on"

// Rows are those of docs/CONFORMANCE.md.
var reads = []struct {
	name  string
	typ   sock.Type
	queue []sock.Segment
	reads []read
}{
	{"row 17: rights go with a read of nothing, the byte stays", sock.Stream,
		[]sock.Segment{withRights(segment("x"), a)},
		[]read{{room: 0, rights: a}, {room: 9, want: "x"}}},
	{"row 17: a record is consumed by a read of nothing", sock.Seqpacket,
		[]sock.Segment{withRights(segment("x"), a), segment("y")},
		[]read{{room: 0, rights: a, truncated: true}, {room: 9, want: "y"}}},
	{"row 18: a read that wants no rights gets them to close them", sock.Stream,
		[]sock.Segment{withRights(segment("x"), a), segment("y")},
		[]read{{room: 9, want: "x", rights: a}, {room: 9, want: "y"}}},
	{"row 21: rights belong to their own bytes", sock.Stream,
		[]sock.Segment{segment("four"), withRights(segment("no"), a)},
		[]read{{room: 4, want: "four"}, {room: 4, want: "no", rights: a}}},
	{"row 26: plain data before is merged, what follows is not", sock.Stream,
		[]sock.Segment{segment("four"), withRights(segment("1"), a), segment("more")},
		[]read{{room: 20, want: "four1", rights: a}, {room: 20, want: "more"}}},
	{"row 27: a read stops after the segment with rights", sock.Stream,
		[]sock.Segment{withRights(segment("ab"), a), segment("cd")},
		[]read{{room: 20, want: "ab", rights: a}, {room: 20, want: "cd"}}},
	{"row 27: once its rights are gone, the rest of a segment is plain data", sock.Stream,
		[]sock.Segment{withRights(segment("ab"), a), segment("cd")},
		[]read{{room: 1, want: "a", rights: a}, {room: 20, want: "bcd"}}},
	{"row 30: every segment with rights is a boundary", sock.Stream,
		[]sock.Segment{withRights(segment("ab"), a), withRights(segment("cd"), b), segment("ef")},
		[]read{{room: 20, want: "ab", rights: a}, {room: 20, want: "cd", rights: b}, {room: 20, want: "ef"}}},
	{"row 33: peeking shows rights and leaves them", sock.Stream,
		[]sock.Segment{withRights(segment("ab"), a), segment("cd")},
		[]read{{peek: true, room: 20, want: "ab", rights: a}, {peek: true, room: 20, want: "ab", rights: a},
			{room: 20, want: "ab", rights: a}, {peek: true, room: 20, want: "cd"}, {room: 20, want: "cd"}}},
	{"row 42: rights that were lost are told with their bytes, and are a boundary, too", sock.Stream,
		[]sock.Segment{segment("ab"), lost(segment("cd")), segment("ef")},
		[]read{{peek: true, room: 20, want: "abcd", lost: true}, {room: 20, want: "abcd", lost: true}, {room: 20, want: "ef"}}},
	{"row 71: bytes with and without credentials are not merged", sock.Stream,
		[]sock.Segment{segment("ab"), withCreds(segment("cd")), withCreds(segment("ef")), segment("gh")},
		[]read{{peek: true, room: 20, want: "ab"}, {room: 20, want: "ab"}, {peek: true, room: 20, want: "cdef", creds: 1},
			{room: 20, want: "cdef", creds: 1}, {room: 20, want: "gh"}}},
	{"row 134: a read and a peek span writes", sock.Stream,
		[]sock.Segment{segment("ab"), segment("cd")},
		[]read{{peek: true, room: 9, want: "abcd"}, {room: 3, want: "abc"}, {room: 9, want: "d"}}},
	{"row 171: records are never merged, and what does not fit is lost", sock.Seqpacket,
		[]sock.Segment{segment("abc"), segment("def"), segment("ghi")},
		[]read{{peek: true, room: 2, want: "ab", truncated: true}, {peek: true, room: 9, want: "abc"}, {room: 9, want: "abc"},
			{room: 1, want: "d", truncated: true}, {room: 3, want: "ghi"}}},
	{"a record of no bytes is a record", sock.Seqpacket,
		[]sock.Segment{segment(""), withRights(segment(""), a), segment("x")},
		[]read{{room: 9}, {room: 9, rights: a}, {room: 9, want: "x"}}},
	{"a record in pieces is read whole", sock.Seqpacket,
		pieces("ab", "cd", "e"),
		[]read{{peek: true, room: 9, want: "abcde"}, {room: 9, want: "abcde"}}},
	{"a record in pieces is cut as one", sock.Seqpacket,
		append(pieces("ab", "cd", "e"), segment("x")),
		[]read{{peek: true, room: 3, want: "abc", truncated: true}, {room: 3, want: "abc", truncated: true}, {room: 9, want: "x"}}},
	{"a datagram of which all pieces but one do not fit", sock.Datagram,
		append(pieces("ab", "cd", "", "e"), segment("x")),
		[]read{{room: 0, truncated: true}, {room: 9, want: "x"}}},
	{"the credentials of a record are those of any piece", sock.Seqpacket,
		[]sock.Segment{{Data: []byte("a"), More: true, Creds: 1}, {Data: []byte("b"), Continued: true}, segment("x")},
		[]read{{peek: true, room: 9, want: "ab", creds: 1}, {room: 9, want: "ab", creds: 1}, {room: 9, want: "x"}}},
	{alike, sock.Stream,
		[]sock.Segment{segment("a"), withCreds(segment("b"))},
		[]read{{peek: true, room: 9, want: "ab", creds: 1}, {room: 9, want: "ab", creds: 1}}},
	{"a peek shows the next descriptors, though there is no room for their bytes", sock.Stream,
		[]sock.Segment{segment("abc"), withRights(segment("d"), a), withRights(segment("e"), b)},
		[]read{{peek: true, room: 1, want: "a", rights: a}, {room: 1, want: "a"}, {room: 9, want: "bcd", rights: a}, {room: 9, want: "e", rights: b}}},
}

func TestReadsFollowLinux(t *testing.T) {
	for _, tt := range reads {
		t.Run(tt.name, func(t *testing.T) {
			in := sock.NewInbox(tt.typ, sock.RightsWindow)
			in.TellApart(tt.name != alike)
			for _, s := range tt.queue {
				if s.Buffer != nil {
					s.Buffer.(*buffer).released = 0 // the table may be walked more than once: -count
				}
				s.Data = append([]byte(nil), s.Data...)
				admitAndPut(t, in, s)
			}
			for i, want := range tt.reads {
				if !in.Ready() {
					t.Fatalf("nothing to read before read %d", i)
				}
				got := do(in, want)
				if got != want {
					t.Errorf("read %d gave\n%+v, want\n%+v", i, got, want)
				}
			}
			if in.Ready() {
				t.Error("something is left")
			}
			for i, s := range tt.queue {
				if s.Buffer != nil && s.Buffer.(*buffer).released != 1 {
					t.Errorf("buffer %d was released %d times", i, s.Buffer.(*buffer).released)
				}
			}
			if a.closed+b.closed != 0 {
				t.Error("rights were closed that the reader owns")
			}
		})
	}
}

// do does what r says, and returns it with the outcome.
func do(in *sock.Inbox, r read) read {
	buf := make([]byte, r.room)
	var res sock.Result
	if r.peek {
		res = in.Peek(buf)
	} else {
		res = in.Read(buf)
	}
	r.want, r.lost, r.creds, r.truncated, r.rights = string(buf[:res.N]), res.Lost, res.Creds, res.Truncated, nil
	if res.Rights != nil {
		r.rights = res.Rights.(*descs)
	}
	return r
}

func admitAndPut(t *testing.T, in *sock.Inbox, s sock.Segment) (wake bool) {
	t.Helper()
	n := 0
	if s.Rights != nil {
		n = s.Rights.Len()
	}
	if err := in.Admit(sock.Arrival{Bytes: len(s.Data), Rights: n, Continued: s.Continued}); err != nil {
		t.Fatal(err)
	}
	wake, err := in.Put(s)
	if err != nil {
		t.Fatal(err)
	}
	return wake
}

func TestReaderIsWokenByTheLastPieceOnly(t *testing.T) {
	in := sock.NewInbox(sock.Seqpacket, 0)
	for i, s := range pieces("a", "b", "c") {
		last := i == 2
		if wake := admitAndPut(t, in, s); wake != last || in.Ready() != last || !in.Queued() {
			t.Errorf("piece %d: woken %t, ready %t", i, wake, in.Ready())
		}
	}
}

// Rows 151, 152, 154: how reading ends is told once everything has been read.
func TestEndComesAfterWhatIsQueued(t *testing.T) {
	for _, tt := range []struct {
		name   string
		how    func(*sock.Inbox)
		want   []sock.End
		ending bool // a reset may come behind it
	}{
		{"open", func(*sock.Inbox) {}, []sock.End{sock.Open, sock.Open}, false},
		{"rows 151, 152: shut", (*sock.Inbox).Shut, []sock.End{sock.EOF, sock.EOF}, true},
		{"row 151: finished by the peer", (*sock.Inbox).Finish, []sock.End{sock.EOF, sock.EOF}, true},
		{"row 157: the peer is closed", (*sock.Inbox).Leave, []sock.End{sock.EOF, sock.EOF}, false},
		{"row 154: reset once, then the end", (*sock.Inbox).Reset, []sock.End{sock.ConnReset, sock.EOF, sock.EOF}, false},
		{"row 154: shut, then reset", func(in *sock.Inbox) { in.Shut(); in.Reset() }, []sock.End{sock.ConnReset, sock.EOF}, false},
		{"broken", (*sock.Inbox).Fail, []sock.End{sock.Failed, sock.Failed}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := sock.NewInbox(sock.Stream, 0)
			admitAndPut(t, in, segment("data"))
			if tt.how(in); in.Ending() != tt.ending {
				t.Errorf("ending is %t", in.Ending())
			}
			if got := do(in, read{room: 9}).want; got != "data" {
				t.Errorf("read %q", got)
			}
			for i, want := range tt.want {
				if got := in.End(); got != want {
					t.Errorf("end %d is %d, want %d", i, got, want)
				}
			}
		})
	}
}

func TestWhatWasPlacedIsNotCopiedAgain(t *testing.T) {
	in := sock.NewInbox(sock.Stream, 0)
	s := segment("----and what did not fit")
	s.Placed = 4 // the bytes are in the reader's buffer, not here
	admitAndPut(t, in, s)
	admitAndPut(t, in, segment("!"))
	buf := []byte("here")
	if r := in.Read(buf); r.N != 4 || string(buf) != "here" {
		t.Errorf("%d bytes: %q", r.N, buf)
	}
	if got := do(in, read{room: 99}).want; got != "and what did not fit!" {
		t.Errorf("then %q", got)
	}
}

// A Read whose deadline expired between placing and taking must not take bytes along.
func TestUnplaceBringsBackWhatWasPlaced(t *testing.T) {
	in := sock.NewInbox(sock.Stream, 0)
	s := segment("----tail")
	s.Placed = 4
	admitAndPut(t, in, s)
	in.Unplace([]byte("head"))
	if got := do(in, read{room: 99}).want; got != "headtail" {
		t.Errorf("read %q", got)
	}
	in.Unplace([]byte("nothing is queued")) // must not panic
}

func TestWants(t *testing.T) {
	for _, tt := range []struct {
		name  string
		typ   sock.Type
		queue []sock.Segment
		n     int
		want  bool
	}{
		{"less than asked for", sock.Stream, []sock.Segment{segment("ab"), segment("c")}, 4, true},
		{"as much as asked for", sock.Stream, []sock.Segment{segment("ab"), segment("cd")}, 4, false},
		{"nothing asked for", sock.Stream, []sock.Segment{segment("ab")}, 0, false},
		{"up to rights", sock.Stream, []sock.Segment{segment("ab"), withRights(segment("c"), &descs{n: 1})}, 9, false},
		{"up to rights that were lost", sock.Stream, []sock.Segment{lost(segment("c"))}, 9, false},
		{"up to other credentials", sock.Stream, []sock.Segment{segment("ab"), withCreds(segment("c"))}, 9, false},
		{"a datagram", sock.Datagram, []sock.Segment{segment("ab")}, 9, false},
		{"a record, before which a reset may come", sock.Seqpacket, []sock.Segment{segment("ab")}, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := sock.NewInbox(tt.typ, sock.RightsWindow)
			in.TellApart(true)
			for _, s := range tt.queue {
				admitAndPut(t, in, s)
			}
			if got := in.Wants(tt.n); got != tt.want {
				t.Errorf("Wants(%d) is %t", tt.n, got)
			}
		})
	}
}

// On a stream a reset comes behind what is queued, before it among records (row 154).
func TestResetAndWhatIsQueued(t *testing.T) {
	for typ, first := range map[sock.Type]bool{sock.Stream: false, sock.Seqpacket: true, sock.Datagram: false} {
		in := sock.NewInbox(typ, 0)
		admitAndPut(t, in, segment("x"))
		if in.ResetFirst() {
			t.Errorf("type %d: before it has come", typ)
		}
		in.Reset()
		if in.ResetFirst() != first {
			t.Errorf("type %d: first is %t", typ, !first)
		}
		if in.End() != sock.ConnReset || in.ResetFirst() || in.Wants(9) != (typ == sock.Stream) {
			t.Errorf("type %d: it is reported once, and nothing comes behind it", typ)
		}
	}
}

// What Keep discards is gone, and counts as read.
func TestKeep(t *testing.T) {
	for keep := range 4 {
		in := sock.NewInbox(sock.Datagram, 4)
		lost := &descs{n: 1}
		queue := append([]sock.Segment{segment("one")}, pieces("tw", "o")...)
		queue = append(queue, withRights(segment("three"), lost), pieces("fo", "u", "r")[0])
		var cost uint64
		for _, s := range queue {
			cost += sock.Cost(len(s.Data))
			admitAndPut(t, in, s)
		}
		in.Keep(keep)
		for i := range keep {
			if got := in.Read(make([]byte, 9)); got.N != len([]string{"one", "two", "three"}[i]) {
				t.Errorf("keep %d: record %d has %d bytes", keep, i, got.N)
			}
		}
		if in.Ready() || in.Queued() {
			t.Errorf("keep %d: more is there", keep)
		}
		closeDiscarded(in)
		if closed := lost.closed == 1; closed != (keep < 3) {
			t.Errorf("keep %d: descriptors closed %d times", keep, lost.closed)
		}
		if err := in.SetWindow(sock.MinWindow); err != nil {
			t.Fatal(err)
		}
		credit, _ := in.CreditDue()
		if credit.Consumed != 0 && credit.Consumed != cost {
			t.Errorf("keep %d: credit for %d of %d", keep, credit.Consumed, cost)
		}
		if got := in.Granted(); got != 5 {
			t.Errorf("keep %d: %d descriptors granted", keep, got)
		}
	}
}

// P7: what the peer must not send is refused, whatever has come before.
func TestInboxRefuses(t *testing.T) {
	admit := func(n, descs int, continued bool) func(*sock.Inbox) error {
		return func(in *sock.Inbox) error {
			return in.Admit(sock.Arrival{Bytes: n, Rights: descs, Continued: continued})
		}
	}
	put := func(more, continued bool) func(*sock.Inbox) error {
		return func(in *sock.Inbox) error {
			if err := in.Admit(sock.Arrival{Bytes: 1, Rights: 0, Continued: continued}); err != nil {
				return err
			}
			_, err := in.Put(sock.Segment{Data: []byte("x"), More: more, Continued: continued})
			return err
		}
	}
	window := func(n uint32) func(*sock.Inbox) error {
		return func(in *sock.Inbox) error { return in.SetWindow(n) }
	}
	fill := admit(sock.DefaultWindow, 0, false)
	finish := func(in *sock.Inbox) error { in.Finish(); return nil }
	shrink := window(sock.DefaultWindow / 2)
	for _, tt := range []struct {
		name string
		typ  sock.Type
		ok   []func(*sock.Inbox) error
		bad  func(*sock.Inbox) error
		says string
	}{
		{"data beyond the window", sock.Stream, []func(*sock.Inbox) error{fill}, admit(1, 0, false), "window"},
		{"data beyond a window made smaller", sock.Stream,
			[]func(*sock.Inbox) error{admit(sock.MinWindow, 0, false), window(sock.MinWindow)}, admit(0, 0, false), "window"},
		{"data within a window made larger", sock.Stream,
			[]func(*sock.Inbox) error{shrink, admit(sock.DefaultWindow/2, 0, false), window(sock.MaxWindow), admit(0, 0, false)}, nil, ""},
		{"a message that never ends", sock.Seqpacket,
			[]func(*sock.Inbox) error{admit(sock.MaxWindow-1, 0, false)}, admit(2, 0, true), "window"},
		{"a message of endless pieces", sock.Seqpacket,
			[]func(*sock.Inbox) error{admit(0, 0, false)}, func(in *sock.Inbox) error {
				for range 100 {
					if err := admit(0, 0, true)(in); err != nil {
						return err
					}
				}
				return nil
			}, "window"},
		{"a message that is too long", sock.Seqpacket, nil, admit(sock.MaxWindow+1, 0, false), "window"},
		{"a further message when the window is full", sock.Seqpacket,
			[]func(*sock.Inbox) error{shrink, admit(sock.DefaultWindow/2, 0, false), admit(1000, 0, true)}, admit(0, 0, false), "window"},
		{"rights beyond the grant", sock.Stream,
			[]func(*sock.Inbox) error{admit(1, 200, false)}, admit(1, 101, false), "descriptors"},
		{"rights up to the grant", sock.Stream,
			[]func(*sock.Inbox) error{admit(1, 200, false), admit(1, 100, false)}, nil, ""},
		{"a window that is too small", sock.Stream, nil, window(sock.MinWindow - 1), "window"},
		{"a window that is too large", sock.Stream, nil, window(sock.MaxWindow + 1), "window"},
		{"a piece on a stream", sock.Stream, nil, put(true, false), "pieces"},
		{"a later piece on a stream", sock.Stream, nil, put(false, true), "pieces"},
		{"nothing on a stream", sock.Stream, nil, func(in *sock.Inbox) error {
			_, err := in.Put(segment(""))
			return err
		}, ""},
		{"data after the end on a stream", sock.Stream, []func(*sock.Inbox) error{finish}, put(false, false), ""},
		{"a record after the end", sock.Seqpacket, []func(*sock.Inbox) error{finish}, put(false, false), ""},
		{"a later piece of nothing", sock.Seqpacket, nil, put(false, true), "pieces"},
		{"a later piece of what has ended", sock.Seqpacket, []func(*sock.Inbox) error{put(false, false)}, put(false, true), "pieces"},
		{"a message in the middle of another", sock.Seqpacket, []func(*sock.Inbox) error{put(true, false)}, put(false, false), "pieces"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := sock.NewInbox(tt.typ, 300)
			for _, f := range tt.ok {
				if err := f(in); err != nil {
					t.Fatal(err)
				}
			}
			if tt.bad == nil {
				return
			}
			if err := tt.bad(in); !errors.Is(err, sock.ErrProtocol) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want a protocol error about %q", err, tt.says)
			}
		})
	}
}

// What is refused is released, descriptors included.
func TestPieceOutOfOrderIsDiscarded(t *testing.T) {
	for _, typ := range []sock.Type{sock.Stream, sock.Seqpacket} {
		s := withRights(segment("x"), &descs{n: 1})
		s.Continued = true
		in := sock.NewInbox(typ, 9)
		if _, err := in.Put(s); err == nil {
			t.Error("not refused")
		}
		closeDiscarded(in)
		if s.Buffer.(*buffer).released != 1 || s.Rights.(*descs).closed != 1 {
			t.Errorf("type %d: buffer %+v, rights %+v", typ, s.Buffer, s.Rights)
		}
	}
}

// A small read is not worth a packet; a full window is, and not many.
func TestCreditIsToldInLargeParts(t *testing.T) {
	in := sock.NewInbox(sock.Stream, 0)
	piece := strings.Repeat("x", sock.DefaultWindow/16)
	told := uint64(0)
	packets := 0
	for i := range 16 {
		admitAndPut(t, in, segment(piece))
		do(in, read{room: len(piece)})
		c, due := in.CreditDue()
		if i == 0 && due {
			t.Error("a packet for a sixteenth of the window")
		}
		if due {
			packets++
			told = c.Consumed
		}
		if due && told != uint64(i+1)*sock.Cost(len(piece)) {
			t.Errorf("after %d sixteenths: consumed %d", i+1, told)
		}
	}
	if packets < 1 || packets > 8 {
		t.Errorf("%d packets for a full window", packets)
	}
}

// Bytes are given back as they are read, a message's overhead with its last byte.
func TestPartialReadGivesItsBytesBack(t *testing.T) {
	in := sock.NewInbox(sock.Stream, 0)
	const n = sock.DefaultWindow
	admitAndPut(t, in, segment(strings.Repeat("x", n)))
	do(in, read{room: n - 1})
	if c, due := in.CreditDue(); !due || c.Consumed != n-1 {
		t.Errorf("credit %+v, %t", c, due)
	}
}

// Descriptors that could not be installed are given back with their bytes; those of a connection
// that is accepted late are granted then.
func TestRightsAreGrantedAgain(t *testing.T) {
	in := sock.NewInbox(sock.Stream, 253)
	if got := in.Granted(); got != 253 {
		t.Fatalf("hello grants %d", got)
	}
	if err := in.Admit(sock.Arrival{Bytes: 1, Rights: 253, Continued: false}); err != nil {
		t.Fatal(err)
	}
	in.Put(lost(segment("x")))
	in.Refund(253)
	do(in, read{room: 1})
	if c, due := in.CreditDue(); !due || c.Rights != 2*253 {
		t.Errorf("credit %+v, %t", c, due)
	}
	if err := in.Admit(sock.Arrival{Bytes: 1, Rights: 253, Continued: false}); err != nil {
		t.Error(err)
	}
	in.Grant(sock.RightsWindow)
	if c, due := in.CreditDue(); !due || c.Rights != 253+sock.RightsWindow {
		t.Errorf("after Accept: %+v, %t", c, due)
	}
	in.Grant(1) // never takes back
	if err := in.Admit(sock.Arrival{Bytes: 1, Rights: 253, Continued: false}); err != nil {
		t.Error(err)
	}
}
