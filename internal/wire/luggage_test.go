package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"afunix/internal/sock"
)

// States with something in every field.

func stateOfConn() *sock.ConnState {
	return &sock.ConnState{
		End: sock.EndState{
			Type: sock.Seqpacket, Server: true, ID: 1, PeerID: 2, Local: "/run/a", Remote: "@b", Pass: true, PeerPass: true, Alone: true,
			Embryo: true, Chosen: "@00002", PeerName: "@00001", Naming: true,
			Writers: []sock.Writer{{PID: 40, UID: 41, GID: 42}, {PID: 43, SID: strings.Repeat("S", MaxText)}},
		},
		In: sock.InboxState{
			Shut: true, Ended: true, Gone: true, Reset: true, Failed: true, Arrived: 10, Consumed: 9, Reported: 8, Window: 7,
			RightsArrived: 14, RightsConsumed: 13, RightsGranted: 12, RightsWindow: 11, Message: 20, Pieces: 21,
		},
		Segments: []sock.Segment{
			{More: true, Rights: Announced(253), Creds: 2, Data: []byte("first")},
			{Continued: true, Lost: true, Data: []byte{}},
		},
		Out: sock.OutboxState{
			Shut: true, Deaf: true, Gone: true, Peer: sock.Apart,
			Sent: 30, Consumed: 29, RightsSent: 28, RightsLimit: 27, Serial: 26, Buffer: 25,
		},
		Moves: sock.MovesState{PeerAway: true, Waits: true},
		Link:  sock.LinkState{Over: true, Queued: 53, Offers: []uint64{51, 52}, Offering: 50, Sender: "/run/sender"},
	}
}

func stateOfListener() *sock.ListenerState {
	return &sock.ListenerState{Type: sock.Stream, Backlog: 4096, Local: "/run/l", Handles: 3, Source: []byte("source"), Clients: 2}
}

func stateOfPacket() *sock.PacketState {
	return &sock.PacketState{
		ID: 1, PeerID: 2, Local: "/run/p", Bound: "/run/p", Remote: "/run/q", Buffer: 3, Mute: true, Pass: true,
		Mail: sock.MailboxState{Peer: sock.Apart, Deaf: true}, Order: sock.Order{Queue: []uint32{0, 1, 0}, Held: []uint32{2}},
		Listens: true, Links: 4, PeerLink: true,
	}
}

// states are samples with a tag in front, by name.
func states() map[string][]byte {
	return map[string][]byte{
		"connection":         AppendConn(nil, stateOfConn()),
		"connection, empty":  AppendConn(nil, new(sock.ConnState)),
		"listener":           AppendListener(nil, stateOfListener()),
		"listener, empty":    AppendListener(nil, new(sock.ListenerState)),
		"datagram socket":    AppendPacket(nil, stateOfPacket()),
		"datagram, empty":    AppendPacket(nil, new(sock.PacketState)),
		"client that is new": {byte(PipeTag)},
	}
}

// reparse parses the first state of b, writes it again, and returns the rest.
func reparse(b []byte) (again, rest []byte, err error) {
	tag, b, err := ParseTag(b)
	if err != nil {
		return nil, nil, err
	}
	switch tag {
	case ConnTag:
		var s sock.ConnState
		s, rest, err = ParseConn(b)
		again = AppendConn(nil, &s)
	case ListenerTag:
		var s sock.ListenerState
		s, rest, err = ParseListener(b)
		again = AppendListener(nil, &s)
	case PacketTag:
		var s sock.PacketState
		s, rest, err = ParsePacket(b)
		again = AppendPacket(nil, &s)
	case PipeTag:
		again, rest = []byte{byte(PipeTag)}, b
	}
	return again, rest, err
}

func TestStatesSurviveTheWire(t *testing.T) {
	for name, b := range states() {
		again, rest, err := reparse(append(bytes.Clone(b), "rest"...))
		if err != nil || !bytes.Equal(again, b) || string(rest) != "rest" {
			t.Errorf("%s: %v, rest %q, written again:\n%x\n%x", name, err, rest, b, again)
		}
	}
	conn := stateOfConn()
	if got, _, err := ParseConn(AppendConn(nil, conn)[1:]); err != nil || !reflect.DeepEqual(&got, conn) {
		t.Errorf("%v, %+v; want %+v", err, got, conn)
	}
	listener := stateOfListener()
	if got, _, err := ParseListener(AppendListener(nil, listener)[1:]); err != nil || !reflect.DeepEqual(&got, listener) {
		t.Errorf("%v, %+v; want %+v", err, got, listener)
	}
	packet := stateOfPacket()
	if got, _, err := ParsePacket(AppendPacket(nil, packet)[1:]); err != nil || !reflect.DeepEqual(&got, packet) {
		t.Errorf("%v, %+v; want %+v", err, got, packet)
	}
}

func TestEveryTruncationOfAStateFailsCleanly(t *testing.T) {
	for name, b := range states() {
		for n := range len(b) {
			if _, _, err := reparse(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(b), err)
			}
		}
	}
}

func TestStatesThatLie(t *testing.T) {
	change := func(b []byte, at int, to ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], to)
		return b
	}
	ones := []byte{0xFF, 0xFF, 0xFF, 0xFF}
	conn, listener, packet := states()["connection"], states()["listener"], states()["datagram socket"]
	where := func(b []byte, text string) int {
		at := bytes.Index(b, []byte(text))
		if at < 0 {
			t.Fatalf("%q is not there", text)
		}
		return at
	}
	segments := where(conn, "first") - 4 - 4 - 1 - 4 - 4 // length of the list, flags, rights, writer, length of the data
	for name, b := range map[string][]byte{
		"no tag":                   {0},
		"a tag that is not known":  {byte(tags)},
		"flags of a connection":    change(conn, 2, 0, 0, 0, 0x80),
		"the first flag too many":  change(conn, 2, 0, 0, 1<<2, 0),
		"flags of a socket":        change(packet, 1, 1<<6),
		"flags of a segment":       change(conn, segments+4, 1<<3),
		"a text beyond the end":    change(listener, where(listener, "/run/l")-1, 0xB0),
		"a text that is too long":  append(change(listener, where(listener, "/run/l")-1, MaxText+1), make([]byte, 300)...),
		"endless segments":         change(conn, segments, ones...),
		"a segment beyond the end": change(conn, where(conn, "first")-4, ones...),
		"an endless source":        change(listener, where(listener, "source")-4, ones...),
		"an endless queue":         change(packet, where(packet, "/run/q")+len("/run/q")+4, ones...),
	} {
		if _, _, err := reparse(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A list that says to be long costs no more than what is really there.
func TestLyingLengthsAllocateLittle(t *testing.T) {
	b := AppendPacket(nil, new(sock.PacketState))
	b = b[1 : len(b)-8]
	b = append(b, 0xFF, 0xFF, 0, 0) // 65,535 datagrams in a queue
	b = append(b, make([]byte, 65_535)...)
	if s, _, err := ParsePacket(b); err == nil || len(s.Order.Queue) > 65_535/4+1 {
		t.Errorf("%d datagrams, %v", len(s.Order.Queue), err)
	}
}
