package sock_test

import (
	"errors"
	"testing"

	"afunix/internal/sock"
)

func TestBufferIsBoundedAsOnLinux(t *testing.T) {
	const times = sock.DefaultWindow / sock.DefaultBuffer
	const least, most = sock.MinWindow / times, sock.MaxWindow / times
	for _, tt := range []struct{ ask, want int }{
		{-1, least}, {0, least}, {least, least}, {100000, 100000}, {most, most}, {most + 1, most},
	} {
		o := sock.NewOutbox(sock.Seqpacket)
		if got := int(o.SetBuffer(tt.ask)); got != times*tt.want || int(o.Window()) != got {
			t.Errorf("SetBuffer(%d): window %d, then %d", tt.ask, got, o.Window())
		}
		if got := o.MaxMessage(); got != tt.want-32 {
			t.Errorf("row 49: largest message is %d for a buffer of %d", got, tt.want)
		}
		if got := 2 * sock.Cost(o.MaxPiece()); tt.want > least && got > uint64(tt.want)+2*sock.Cost(0) {
			t.Errorf("two pieces cost %d of %d", got, tt.want)
		}
	}
}

func TestNothingBeginsWhileTheWindowIsFull(t *testing.T) {
	o := sock.NewOutbox(sock.Stream)
	o.Sent(sock.Arrival{Bytes: sock.DefaultWindow - int(sock.Cost(0)) - 1})
	if !o.Room(0) {
		t.Fatal("no room for one more unit")
	}
	o.Sent(sock.Arrival{Bytes: 50000, Rights: 0}) // may overshoot, as on Linux
	if o.Room(0) {
		t.Error("room in a full window")
	}
	if err := o.Credit(sock.Credit{Consumed: 50000}); err != nil || o.Room(0) {
		t.Errorf("%v, room %t after a credit that only makes up for the overshoot", err, o.Room(0))
	}
	if err := o.Credit(sock.Credit{Consumed: sock.Cost(50000)}); err != nil || !o.Room(0) {
		t.Errorf("%v, room %t after a credit", err, o.Room(0))
	}
}

func TestRightsNeedTheirOwnCredit(t *testing.T) {
	o := sock.NewOutbox(sock.Stream)
	if !o.Room(0) || o.Room(1) {
		t.Error("before the hello: bytes may be sent, rights may not")
	}
	o.Grant(253)
	o.Sent(sock.Arrival{Bytes: 1, Rights: 250})
	if !o.Room(3) || o.Room(4) || !o.Room(0) {
		t.Error("not three")
	}
	if err := o.Credit(sock.Credit{Rights: 254}); err != nil || !o.Room(4) {
		t.Error("not four", err)
	}
}

// P7: credit that cannot be, and acknowledgements of what was never sent, are the peer's fault.
func TestOutboxRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		bad  func(*sock.Outbox) error
	}{
		{"credit for what was never sent", func(o *sock.Outbox) error { return o.Credit(sock.Credit{Consumed: sock.Cost(100) + 1, Rights: 10}) }},
		{"credit that shrinks", func(o *sock.Outbox) error { return o.Credit(sock.Credit{Consumed: 9, Rights: 10}) }},
		{"grant that shrinks", func(o *sock.Outbox) error { return o.Credit(sock.Credit{Consumed: 10, Rights: 9}) }},
		{"all the credit there is", func(o *sock.Outbox) error { return o.Credit(sock.Credit{Consumed: 1<<64 - 1, Rights: 1<<64 - 1}) }},
		{"acknowledgement of the next", func(o *sock.Outbox) error { return o.Ack(3) }},
		{"acknowledgement of nothing", func(o *sock.Outbox) error { return o.Ack(0) }},
		{"acknowledgement of what is acknowledged", func(o *sock.Outbox) error {
			if err := o.Ack(1); err != nil {
				return err
			}
			return o.Ack(1)
		}},
		{"acknowledgement when nothing is outstanding", func(o *sock.Outbox) error {
			if err := o.Ack(2); err != nil {
				return err
			}
			return o.Ack(2)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := sock.NewOutbox(sock.Stream)
			o.Grant(10)
			o.Sent(sock.Arrival{Bytes: 100, Rights: 2})
			if err := o.Credit(sock.Credit{Consumed: 10, Rights: 10}); err != nil {
				t.Fatal(err)
			}
			o.Track(new(sock.Transfer), nil)
			o.Track(new(sock.Transfer), nil)
			if err := tt.bad(o); !errors.Is(err, sock.ErrProtocol) {
				t.Errorf("%v, want a protocol error", err)
			}
		})
	}
}

// A socket that was sent over itself goes on behind the message in which it came, whose
// acknowledgement its former owner may not have read.
func TestFollowsTheMessageInWhichItCame(t *testing.T) {
	o := sock.NewOutbox(sock.Stream)
	o.Follow(1000, 2, 7, sock.Credit{Consumed: 500, Rights: 10})
	if err := errors.Join(o.Ack(7), o.Credit(sock.Credit{Consumed: 400, Rights: 5})); err != nil {
		t.Error(err)
	}
	if !o.Room(8) || o.Room(9) {
		t.Error("old credit counts")
	}
	var next sock.Transfer
	o.Track(&next, nil)
	if err := o.Ack(7); err != nil || next.Fate != sock.Written {
		t.Errorf("an old acknowledgement: %v, fate %d", err, next.Fate)
	}
	if err := o.Ack(8); err != nil || next.Serial() != 8 || next.Fate != sock.Acknowledged {
		t.Errorf("%v, serial %d, fate %d", err, next.Serial(), next.Fate)
	}
	if err := o.Ack(9); !errors.Is(err, sock.ErrProtocol) {
		t.Errorf("%v, want a protocol error", err)
	}
}

// What is left parked when a connection breaks is the caller's, in its order.
func TestSeverReturnsWhatIsParked(t *testing.T) {
	o := sock.NewOutbox(sock.Stream)
	var parked [3]copies
	for i := range parked {
		o.Track(new(sock.Transfer), &parked[i])
	}
	o.Track(new(sock.Transfer), nil) // a shutdown
	if err := o.Ack(1); err != nil {
		t.Fatal(err)
	}
	if left := o.Sever(); len(left) != 2 || left[0] != &parked[1] || left[1] != &parked[2] {
		t.Errorf("left: %v", left)
	}
	if left := o.Sever(); left != nil {
		t.Errorf("left: %v", left)
	}
}

// P3: what becomes of a message with descriptors.
func TestFateOfATransfer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*sock.Outbox, []*sock.Transfer)
		want   [3]sock.Fate
		ended  [3]int // how often what is parked was released; negative: taken back
	}{
		{"written", func(*sock.Outbox, []*sock.Transfer) {}, [3]sock.Fate{}, [3]int{}},
		{"the first acknowledged", func(o *sock.Outbox, _ []*sock.Transfer) { o.Ack(1) },
			[3]sock.Fate{sock.Acknowledged, sock.Written, sock.Written}, [3]int{1, 0, 0}},
		{"an acknowledgement is for all up to it", func(o *sock.Outbox, _ []*sock.Transfer) { o.Ack(2) },
			[3]sock.Fate{sock.Acknowledged, sock.Acknowledged, sock.Written}, [3]int{1, 1, 0}},
		{"unknown: the copies stay", func(_ *sock.Outbox, ts []*sock.Transfer) { ts[0].Fate = sock.Unknown },
			[3]sock.Fate{sock.Unknown, sock.Written, sock.Written}, [3]int{}},
		{"unknown, then acknowledged", func(o *sock.Outbox, ts []*sock.Transfer) { ts[0].Fate = sock.Unknown; o.Ack(1) },
			[3]sock.Fate{sock.Acknowledged, sock.Written, sock.Written}, [3]int{1, 0, 0}},
		{"unknown, then the peer's end", func(o *sock.Outbox, ts []*sock.Transfer) { ts[0].Fate = sock.Unknown; o.Bury() },
			[3]sock.Fate{sock.Buried, sock.Buried, sock.Buried}, [3]int{1, 1, 1}},
		{"the end twice", func(o *sock.Outbox, _ []*sock.Transfer) { o.Ack(1); o.Bury(); o.Sever() },
			[3]sock.Fate{sock.Acknowledged, sock.Buried, sock.Buried}, [3]int{1, 1, 1}},
		{"a break: the copies stay until whoever noticed has closed the pipe", func(o *sock.Outbox, _ []*sock.Transfer) { o.Ack(1); o.Sever() },
			[3]sock.Fate{sock.Acknowledged, sock.Lost, sock.Lost}, [3]int{1, 0, 0}},
		{"a farewell: the peer has looked at nothing that it has not acknowledged",
			func(o *sock.Outbox, _ []*sock.Transfer) { o.Ack(1); o.Farewell(); o.Bury() },
			[3]sock.Fate{sock.Acknowledged, sock.Severed, sock.Severed}, [3]int{1, -1, -1}},
		{"unknown, then a farewell", func(o *sock.Outbox, ts []*sock.Transfer) { ts[1].Fate = sock.Unknown; o.Farewell() },
			[3]sock.Fate{sock.Severed, sock.Severed, sock.Severed}, [3]int{-1, -1, -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := sock.NewOutbox(sock.Stream)
			var ts []*sock.Transfer
			var parked [3]copies
			for i := range parked {
				if got := o.NextSerial(); got != uint64(i+1) {
					t.Errorf("serial of transfer %d is %d", i, got)
				}
				ts = append(ts, new(sock.Transfer))
				o.Track(ts[i], &parked[i])
			}
			tt.change(o, ts)
			outstanding := 0
			for i := range parked {
				if ts[i].Fate != tt.want[i] || parked[i].released-parked[i].takenBack != tt.ended[i] {
					t.Errorf("transfer %d: fate %d, %+v", i, ts[i].Fate, parked[i])
				}
				if ts[i].Fate == sock.Written || ts[i].Fate == sock.Unknown {
					outstanding++
				}
			}
			if o.Outstanding() != outstanding {
				t.Errorf("%d outstanding, want %d", o.Outstanding(), outstanding)
			}
		})
	}
}

// A socket whose pipe says that the other end is closed sends no more, but waits for what that has
// said before: what it has acknowledged has arrived, and what is left when its goodbye comes has
// not.
func TestLose(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(*sock.Outbox)
		want [2]copies
	}{
		{"nothing more", func(*sock.Outbox) {}, [2]copies{}},
		{"an acknowledgement, and the end", func(o *sock.Outbox) { o.Ack(1); o.Bury() }, [2]copies{{released: 1}, {released: 1}}},
		{"an acknowledgement, and the goodbye", func(o *sock.Outbox) { o.Ack(1); o.Farewell() }, [2]copies{{released: 1}, {takenBack: 1}}},
	} {
		o := sock.NewOutbox(sock.Stream)
		var parked [2]copies
		for i := range parked {
			o.Track(new(sock.Transfer), &parked[i])
		}
		o.Lose()
		if !o.Broken() || !o.Gone() || o.Outstanding() != 2 {
			t.Errorf("%s: broken %t, gone %t, %d outstanding", tt.name, o.Broken(), o.Gone(), o.Outstanding())
		}
		if tt.then(o); parked != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, parked, tt.want)
		}
	}
}

// What the receiver refuses is over, and what was acknowledged before stays so.
func TestRefusal(t *testing.T) {
	o := sock.NewOutbox(sock.Datagram)
	var ts [3]sock.Transfer
	var parked [3]copies
	for i := range ts {
		o.Track(&ts[i], &parked[i])
		if ts[i].Serial() != uint64(i+1) {
			t.Errorf("serial %d", ts[i].Serial())
		}
	}
	if err := errors.Join(o.Ack(1), o.Refuse(2, sock.Barred), o.Refuse(2, sock.Refused)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		fate sock.Fate
		copies
	}{{sock.Acknowledged, copies{released: 1}}, {sock.Barred, copies{declined: 1}}, {sock.Written, copies{}}} {
		if ts[i].Fate != want.fate || parked[i] != want.copies {
			t.Errorf("transfer %d: fate %d, %+v", i, ts[i].Fate, parked[i])
		}
	}
	if err := o.Refuse(4, sock.Refused); !errors.Is(err, sock.ErrProtocol) {
		t.Errorf("refusal of what was never sent: %v", err)
	}
}

func TestHowSendingEnds(t *testing.T) {
	for _, tt := range []struct {
		name         string
		how          func(*sock.Outbox)
		broken, gone bool
		silent       bool
	}{
		{"open", func(*sock.Outbox) {}, false, false, false},
		{"row 151: shut by its owner", func(o *sock.Outbox) { o.Shut() }, true, false, true},
		{"row 152: the peer does not read", (*sock.Outbox).Deafen, true, false, false},
		{"row 157: the peer is closed", (*sock.Outbox).Farewell, true, true, false},
		{"the peer has ended", (*sock.Outbox).Bury, true, true, false},
		{"the connection broke", func(o *sock.Outbox) { o.Sever() }, true, true, false},
	} {
		o := sock.NewOutbox(sock.Stream)
		tt.how(o)
		if o.Broken() != tt.broken || o.Gone() != tt.gone || o.Silent() != tt.silent {
			t.Errorf("%s: broken %t, gone %t, silent %t", tt.name, o.Broken(), o.Gone(), o.Silent())
		}
	}
	o := sock.NewOutbox(sock.Stream)
	if !o.Shut() || o.Shut() {
		t.Error("shutting down is news once")
	}
}

func TestTypes(t *testing.T) {
	for typ := range 256 {
		if got, want := sock.Type(typ).Valid(), typ == 1 || typ == 2 || typ == 5; got != want {
			t.Errorf("type %d: valid is %t", typ, got)
		}
	}
}

func TestWhatHasNotBeenWrittenIsTakenBack(t *testing.T) {
	a := sock.Arrival{Bytes: 10, Rights: 3}
	begin := func() (*sock.Outbox, *sock.Transfer) {
		o, m := sock.NewOutbox(sock.Stream), new(sock.Transfer)
		o.Grant(3)
		o.Track(m, nil)
		o.Sent(a)
		return o, m
	}
	o, m := begin()
	if err := o.Unsend(a, m); err != nil || o.NextSerial() != 1 || o.Outstanding() != 0 || !o.Room(3) {
		t.Errorf("%v, next is %d, %d outstanding, room %t", err, o.NextSerial(), o.Outstanding(), o.Room(3))
	}
	if s := o.Look(); s.Sent != 0 || s.RightsSent != 0 {
		t.Errorf("what is left: %+v", s)
	}
	o, m = begin()
	if err := o.Ack(1); err != nil {
		t.Fatal(err)
	}
	if err := o.Unsend(a, m); !errors.Is(err, sock.ErrProtocol) || m.Fate != sock.Acknowledged {
		t.Errorf("acknowledged: %v, %v", err, m.Fate)
	}
	o, m = begin()
	if err := o.Credit(sock.Credit{Consumed: 1, Rights: 3}); err != nil {
		t.Fatal(err)
	}
	if err := o.Unsend(a, m); !errors.Is(err, sock.ErrProtocol) {
		t.Errorf("credited: %v", err)
	}
}
