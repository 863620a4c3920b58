package sock_test

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"afunix/internal/sock"
)

// States in which no socket can be are refused, whoever says so.
func TestRestoreInboxRefuses(t *testing.T) {
	fresh, _ := sock.NewInbox(sock.Stream, 253).Look()
	plain := []sock.Segment{segment("x")}
	arrived := func(n uint64) func(*sock.InboxState) { return func(s *sock.InboxState) { s.Arrived = n } }
	for name, tt := range map[string]struct {
		typ      sock.Type
		change   func(*sock.InboxState)
		segments []sock.Segment
	}{
		"no type":                   {9, nil, nil},
		"consumed, and not arrived": {sock.Stream, func(s *sock.InboxState) { s.Consumed = 1 }, nil},
		"reported, and not read":    {sock.Stream, func(s *sock.InboxState) { s.Reported = 1 }, nil},
		"rights read, not arrived":  {sock.Stream, func(s *sock.InboxState) { s.RightsConsumed = 1 }, nil},
		"more rights than granted":  {sock.Stream, func(s *sock.InboxState) { s.RightsArrived = 254 }, nil},
		"more granted than allowed": {sock.Stream, func(s *sock.InboxState) { s.RightsGranted = sock.RightsWindow + 1 }, nil},
		"rights window too large":   {sock.Stream, func(s *sock.InboxState) { s.RightsWindow = sock.RightsWindow + 1 }, nil},
		"window too small":          {sock.Stream, func(s *sock.InboxState) { s.Window = sock.MinWindow - 1 }, nil},
		"window too large":          {sock.Stream, func(s *sock.InboxState) { s.Window = sock.MaxWindow + 1 }, nil},
		"rights that wrap": {sock.Stream, func(s *sock.InboxState) {
			s.RightsConsumed, s.RightsArrived, s.RightsGranted = 1<<64-1-sock.RightsWindow, 1<<64-1, 1<<64-1
		}, nil},
		"bytes that wrap":           {sock.Stream, func(s *sock.InboxState) { s.Reported, s.Consumed, s.Arrived = 1<<64-1, 1<<64-1, 1<<64-1 }, nil},
		"message too long":          {sock.Stream, func(s *sock.InboxState) { s.Message = sock.MaxLuggage + 1 }, nil},
		"too many pieces":           {sock.Stream, func(s *sock.InboxState) { s.Pieces = 1 << 20 }, nil},
		"queued, and not arrived":   {sock.Stream, nil, plain},
		"rights queued, not come":   {sock.Stream, arrived(1000), []sock.Segment{withRights(segment("x"), a)}},
		"a piece of a stream":       {sock.Stream, arrived(1000), []sock.Segment{{Data: []byte("x"), More: true}}},
		"a later piece of a stream": {sock.Stream, arrived(1000), []sock.Segment{{Data: []byte("x"), Continued: true}}},
		"nothing on a stream":       {sock.Stream, arrived(1000), []sock.Segment{{}}},
		"a later piece of nothing":  {sock.Seqpacket, arrived(1000), []sock.Segment{{Continued: true}}},
		"rights in a later piece": {sock.Seqpacket, func(s *sock.InboxState) { s.Arrived, s.RightsArrived = 2000, 3 },
			[]sock.Segment{{More: true, Rights: a}, {Continued: true, Rights: b}}},
		"a record in a record": {sock.Datagram, arrived(2000), []sock.Segment{{More: true}, {}}},
	} {
		s := fresh
		if tt.change != nil {
			tt.change(&s)
		}
		if in, err := sock.RestoreInbox(tt.typ, s, tt.segments); in != nil || !errors.Is(err, sock.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRestoreOutboxRefuses(t *testing.T) {
	fresh := sock.NewOutbox(sock.Stream).Look()
	for name, change := range map[string]func(*sock.Type, *sock.OutboxState){
		"no type":                   func(typ *sock.Type, _ *sock.OutboxState) { *typ = 0 },
		"credit for what never was": func(_ *sock.Type, s *sock.OutboxState) { s.Consumed = 1 },
		"bytes that wrap":           func(_ *sock.Type, s *sock.OutboxState) { s.Sent, s.Consumed = 1<<64-1, 1<<64-1 },
		"rights that wrap":          func(_ *sock.Type, s *sock.OutboxState) { s.RightsSent = 1<<64 - 1 },
		"serial numbers that wrap":  func(_ *sock.Type, s *sock.OutboxState) { s.Serial = 1<<64 - 1 },
		"buffer too small":          func(_ *sock.Type, s *sock.OutboxState) { s.Buffer = 4607 },
		"buffer too large":          func(_ *sock.Type, s *sock.OutboxState) { s.Buffer = 1 << 30 },
	} {
		typ, s := sock.Stream, fresh
		change(&typ, &s)
		if o, err := sock.RestoreOutbox(typ, s); o != nil || !errors.Is(err, sock.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Wherever a socket is, what Look gives restores it: it looks the same, and reads the same.
func TestRestoreWhatLookGave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]sock.Type{sock.Stream, sock.Seqpacket, sock.Datagram}).Draw(t, "type")
		in, out := sock.NewInbox(typ, 253), sock.NewOutbox(typ)
		open := false
		t.Repeat(map[string]func(*rapid.T){
			"arrive": func(t *rapid.T) {
				s := segment(rapid.StringN(1, 9, -1).Draw(t, "data"))
				arrival := sock.Arrival{Bytes: len(s.Data), Continued: open}
				if s.Continued = open; !open && rapid.Bool().Draw(t, "rights") {
					s.Rights, arrival.Rights = &descs{n: 2}, 2
				}
				s.More = typ != sock.Stream && rapid.Bool().Draw(t, "more")
				if in.Admit(arrival) != nil {
					return // there is no room
				}
				open = s.More
				if _, err := in.Put(s); err != nil {
					t.Fatal(err)
				}
			},
			"read": func(t *rapid.T) {
				if in.Ready() {
					in.Read(make([]byte, rapid.IntRange(1, 20).Draw(t, "room")))
				}
			},
			"credit": func(*rapid.T) { in.CreditDue() },
			"send":   func(*rapid.T) { out.Sent(sock.Arrival{Bytes: 5, Rights: 1}) },
			"buffer": func(t *rapid.T) { out.SetBuffer(rapid.IntRange(0, 1<<20).Draw(t, "bytes")) },
			"deafen": func(*rapid.T) { out.Deafen() },
			"": func(t *rapid.T) {
				state, segments := in.Look()
				again, err := sock.RestoreInbox(typ, state, segments)
				if err != nil {
					t.Fatal(err)
				}
				same, queue := again.Look()
				if same != state || len(queue) != len(segments) {
					t.Fatalf("%+v with %d segments became %+v with %d", state, len(segments), same, len(queue))
				}
				in = again
				o := out.Look()
				if out, err = sock.RestoreOutbox(typ, o); err != nil || !reflect.DeepEqual(out.Look(), o) {
					t.Fatalf("%+v became %+v, %v", o, out, err)
				}
			},
		})
	})
}
