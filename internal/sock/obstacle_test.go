package sock_test

import (
	"fmt"
	"testing"

	"afunix/internal/sock"
)

// What a socket cannot do is found out in Linux's order, whatever else is true of it.
func TestObstaclesOfAConnection(t *testing.T) {
	shut, deafen := func(o *sock.Outbox) { o.Shut() }, (*sock.Outbox).Deafen
	for _, tt := range []struct {
		name string
		typ  sock.Type
		has  []func(*sock.Outbox)
		n    int
		want sock.Obstacle
	}{
		{"none", sock.Stream, nil, 0, sock.NoObstacle},
		{"row 49: too long for a record", sock.Seqpacket, nil, sock.DefaultBuffer - 31, sock.TooLong},
		{"row 49: as long as a record gets", sock.Seqpacket, nil, sock.DefaultBuffer - 32, sock.NoObstacle},
		{"no message of a stream is too long", sock.Stream, nil, 1 << 40, sock.NoObstacle},
		{"too long, and shut down", sock.Datagram, []func(*sock.Outbox){shut, deafen}, sock.DefaultBuffer, sock.TooLong},
		{"row 130: shut down, and the peer is gone", sock.Datagram, []func(*sock.Outbox){shut, (*sock.Outbox).Farewell}, 0, sock.Silent},
		{"row 120: the peer is gone, and was deaf", sock.Datagram, []func(*sock.Outbox){deafen, (*sock.Outbox).Farewell}, 0, sock.Left},
		{"row 129: the peer is deaf", sock.Datagram, []func(*sock.Outbox){deafen}, 0, sock.Deaf},
	} {
		o := sock.NewOutbox(tt.typ)
		for _, has := range tt.has {
			has(o)
		}
		if got := min(o.Obstacle(), sock.Length(tt.typ, tt.n, o.Buffer())); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// Row 120: whoever finds out that the peer is gone is told ECONNREFUSED, and everybody after him
// ENOTCONN. Asking changes nothing.
func TestPeerIsLostOnce(t *testing.T) {
	o := sock.NewOutbox(sock.Datagram)
	o.Farewell()
	got := fmt.Sprint(o.Obstacle(), o.Obstacle(), o.Apart(), o.Part(), o.Apart(), o.Obstacle(), o.Part())
	if want := fmt.Sprint(sock.Left, sock.Left, false, sock.Left, true, sock.Alone, sock.Alone); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p := sock.NoPeer
	if p.Obstacle() != sock.Alone || p.Part() != sock.Alone || p != sock.NoPeer {
		t.Error("row 115: a socket that was never connected has lost something")
	}
}

// What package net finds out comes before everything that the kernel says.
func TestOwnerStopsFirst(t *testing.T) {
	for _, o := range []sock.Obstacle{sock.BadFile, sock.BadName, sock.TooLong, sock.Silent, sock.Left, sock.Alone, sock.Deaf} {
		if min(o, sock.Stopped(true, true)) != sock.Closed || min(o, sock.Stopped(false, true)) != sock.Late || min(o, sock.Stopped(false, false)) != o {
			t.Errorf("%d", o)
		}
	}
}
