package sock_test

import (
	"errors"
	"testing"

	"afunix/internal/sock"
)

// What the halves know of ends that move (P8).

// Luggage takes nothing of the window, and of the credit for descriptors one for each that it has
// and for each 4 KiB.
func TestLuggageIsChargedToTheCreditForDescriptors(t *testing.T) {
	for _, tt := range []struct {
		bytes, rights, weight int
	}{{0, 0, 0}, {1, 0, 1}, {4096, 0, 1}, {4097, 0, 2}, {0, 5, 5}, {65_536, 253, 269}} {
		a := sock.Arrival{Bytes: tt.bytes, Rights: tt.rights, Luggage: true}
		if got := a.Weight(); got != tt.weight {
			t.Errorf("%d bytes with %d descriptors weigh %d, want %d", tt.bytes, tt.rights, got, tt.weight)
		}
		for granted, want := range map[int]bool{tt.weight: true, tt.weight - 1: false} {
			if granted < 0 {
				continue
			}
			in, out := sock.NewInbox(sock.Stream, granted), sock.NewOutbox(sock.Stream)
			out.Grant(in.Granted())
			if room := out.Room(tt.weight); room != want {
				t.Errorf("weight %d of %d: room is %t", tt.weight, granted, room)
			}
			if err := in.Admit(a); (err == nil) != want || err != nil && !errors.Is(err, sock.ErrProtocol) {
				t.Errorf("weight %d of %d: %v", tt.weight, granted, err)
			}
			if cost, rights := in.Arrived(); want && (cost != 0 || rights != uint64(tt.weight)) {
				t.Errorf("weight %d: cost %d, %d descriptors", tt.weight, cost, rights)
			}
		}
	}
}

// Many packets of luggage and their message are one message, whose bounds are those of luggage; the
// next one has its own again.
func TestLuggageAndItsMessageAreOne(t *testing.T) {
	luggage, message := sock.Arrival{Bytes: 65_536, Luggage: true}, sock.Arrival{Bytes: 10, Rights: 1}
	in := sock.NewInbox(sock.Seqpacket, sock.RightsWindow)
	for range sock.MaxLuggage/65_536 - 1 {
		if err := in.Admit(luggage); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Admit(message); err != nil {
		t.Fatalf("the message: %v", err)
	}
	if _, err := in.Put(segment("0123456789")); err != nil {
		t.Fatal(err)
	}
	if err := in.Admit(sock.Arrival{Bytes: sock.MaxWindow + 1}); !errors.Is(err, sock.ErrProtocol) {
		t.Errorf("a message that would do as luggage: %v", err)
	}
	in = sock.NewInbox(sock.Seqpacket, sock.RightsWindow)
	for i := range sock.MaxLuggage/65_536 + 1 {
		err := in.Admit(luggage)
		if over := i == sock.MaxLuggage/65_536; over != errors.Is(err, sock.ErrProtocol) || !over && err != nil {
			t.Errorf("packet %d: %v", i, err)
		}
	}
}

// A message of several packets may be as long behind luggage as without.
func TestAMessageBehindLuggageIsAsLongAsAny(t *testing.T) {
	in := sock.NewInbox(sock.Seqpacket, sock.RightsWindow)
	for range (sock.MaxLuggage - sock.MaxWindow) / 65_536 {
		if err := in.Admit(sock.Arrival{Bytes: 65_536, Luggage: true}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		if err := in.Admit(sock.Arrival{Bytes: 65_536, Continued: i > 0}); err != nil {
			t.Fatalf("piece %d: %v", i, err)
		}
		if _, err := in.Put(sock.Segment{Data: make([]byte, 65_536), More: i < 5, Continued: i > 0}); err != nil {
			t.Fatal(err)
		}
	}
}

// What came in front of a message is given back with its descriptors, by the read that takes those.
func TestLuggageIsGivenBackWithItsMessage(t *testing.T) {
	in := sock.NewInbox(sock.Stream, 253)
	if err := in.Admit(sock.Arrival{Bytes: 100 * 4096, Rights: 50, Luggage: true}); err != nil {
		t.Fatal(err)
	}
	s := withRights(segment("x"), &descs{n: 3})
	s.Luggage = 150
	admitAndPut(t, in, s)
	if _, due := in.CreditDue(); due {
		t.Error("nothing has been read, and there is credit")
	}
	do(in, read{room: 1})
	if c, due := in.CreditDue(); !due || c.Rights != 253+153 {
		t.Errorf("%+v, %t; want credit for %d more", c, due, 153)
	}
}

// A hello of an end that has moved allows no less than was allowed before.
func TestRaise(t *testing.T) {
	out := sock.NewOutbox(sock.Stream)
	out.Grant(10)
	if err := out.Raise(9); !errors.Is(err, sock.ErrProtocol) || out.Room(11) || !out.Room(10) {
		t.Errorf("lower: %v", err)
	}
	for _, n := range []uint64{10, 12} {
		if err := out.Raise(n); err != nil || !out.Room(int(n)) || out.Room(int(n)+1) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// A socket that was sent over itself goes by what its peer has seen of it: room, and what credit is
// believed.
func TestFollow(t *testing.T) {
	out := sock.NewOutbox(sock.Stream)
	out.Grant(100)
	out.Sent(sock.Arrival{Bytes: 10})
	in := sock.NewInbox(sock.Stream, 100)
	for _, a := range []sock.Arrival{{Bytes: 10}, {Bytes: 5000, Rights: 7, Luggage: true}, {Bytes: 1, Rights: 1}} {
		if err := in.Admit(a); err != nil {
			t.Fatal(err)
		}
	}
	cost, rights := in.Arrived()
	out.Follow(cost, rights, 1, sock.Credit{Rights: 100})
	if !out.Room(100-10) || out.Room(100-9) { // 7 and 2 for luggage, and 1
		t.Error("the descriptors of its own message do not count")
	}
	all := sock.Cost(10) + sock.Cost(1)
	if err := out.Credit(sock.Credit{Consumed: all + 1, Rights: 100}); !errors.Is(err, sock.ErrProtocol) {
		t.Errorf("credit for more than came: %v", err)
	}
	if err := out.Credit(sock.Credit{Consumed: all, Rights: 100}); err != nil {
		t.Errorf("credit for what came: %v", err)
	}
	if err := out.Ack(1); err != nil || out.NextSerial() != 2 { // that its former owner did not live to read
		t.Errorf("the acknowledgement of its own message: %v; the next one is %d", err, out.NextSerial())
	}
	if err := out.Ack(2); !errors.Is(err, sock.ErrProtocol) {
		t.Errorf("an acknowledgement of what was not sent: %v", err)
	}
}
