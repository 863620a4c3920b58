package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// States with something in every field.

func stateOfConn() *ConnState {
	return &ConnState{
		SocketType: 5, Flags: connFlags - 1, ID: 1, PeerID: 2, Local: "/run/a", Remote: "@b", PeerName: "@00001", Chosen: "@00002",
		Arrived: 10, Consumed: 9, Reported: 8, InWindow: 7, RightsArrived: 14, RightsConsumed: 13, RightsGranted: 12, RightsWindow: 11,
		Message: 20, Pieces: 21, Sent: 30, SentConsumed: 29, RightsSent: 28, RightsLimit: 27, Serial: 26, Buffer: 25,
		Writers: []Writer{{PID: 40, UID: 41, GID: 42}, {PID: 43, SID: strings.Repeat("S", MaxText)}},
		Segments: []Segment{
			{Flags: SegmentMore, Rights: 253, Writer: 2, Data: []byte("first")},
			{Flags: SegmentContinued | SegmentLost, Data: []byte{}},
		},
		Sender: "/run/sender", Offering: 50, Offers: []uint64{51, 52}, Queued: 53,
	}
}

func stateOfListener() *ListenerState {
	return &ListenerState{SocketType: 1, Backlog: 4096, Local: "/run/l", Handles: 3, Source: []byte("source"), Clients: 2}
}

func stateOfPacket() *PacketState {
	return &PacketState{
		Flags: packetFlags - 1, ID: 1, PeerID: 2, Buffer: 3, Local: "/run/p", Bound: "/run/p", Remote: "/run/q", Links: 4,
		Queue: []uint32{0, 1, 0}, Held: []uint32{2},
	}
}

// states are samples with a tag in front, by name.
func states() map[string][]byte {
	return map[string][]byte{
		"connection":         stateOfConn().Append(nil),
		"connection, empty":  new(ConnState).Append(nil),
		"listener":           stateOfListener().Append(nil),
		"listener, empty":    new(ListenerState).Append(nil),
		"datagram socket":    stateOfPacket().Append(nil),
		"datagram, empty":    new(PacketState).Append(nil),
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
		var s ConnState
		s, rest, err = ParseConnState(b)
		again = s.Append(nil)
	case ListenerTag:
		var s ListenerState
		s, rest, err = ParseListenerState(b)
		again = s.Append(nil)
	case PacketTag:
		var s PacketState
		s, rest, err = ParsePacketState(b)
		again = s.Append(nil)
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
	if got, _, err := ParseConnState(conn.Append(nil)[1:]); err != nil || !reflect.DeepEqual(&got, conn) {
		t.Errorf("%v, %+v; want %+v", err, got, conn)
	}
	listener := stateOfListener()
	if got, _, err := ParseListenerState(listener.Append(nil)[1:]); err != nil || !reflect.DeepEqual(&got, listener) {
		t.Errorf("%v, %+v; want %+v", err, got, listener)
	}
	packet := stateOfPacket()
	if got, _, err := ParsePacketState(packet.Append(nil)[1:]); err != nil || !reflect.DeepEqual(&got, packet) {
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
		"the first flag too many":  change(conn, 2, byte(connFlags&0xFF), byte(connFlags>>8&0xFF), byte(connFlags>>16), 0),
		"flags of a socket":        change(packet, 1, byte(packetFlags)),
		"flags of a segment":       change(conn, segments+4, segmentFlags),
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
	b := new(PacketState).Append(nil)
	b = b[1 : len(b)-8]
	b = append(b, 0xFF, 0xFF, 0, 0) // 65,535 datagrams in a queue
	b = append(b, make([]byte, 65_535)...)
	if s, _, err := ParsePacketState(b); err == nil || len(s.Queue) > 65_535/4+1 {
		t.Errorf("%d datagrams, %v", len(s.Queue), err)
	}
}
