//go:build linux || windows

package apitest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// Sockets with a name that move: listeners and datagram sockets, while others dial them and send to
// them.

var socketNumbers = map[string]uint8{"unix": 1, "unixgram": 2, "unixpacket": 5}

// dialAt dials address.
func dialAt(t *testing.T, a meeting, address string) *afunix.Conn {
	t.Helper()
	c, err := (&afunix.Dialer{Transport: a.transport}).DialContext(t.Context(), a.network, address)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	return c
}

// A listener moves with its clients: those that wait are accepted in the other process, in their
// order, and a client that dials meanwhile notices nothing. Connections that have been accepted
// stay.
func TestExchangeAListenerMovesWithItsClients(t *testing.T) {
	eachMove(t, listened, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		path := socketPath(t)
		l := listen(t, a.transport, a.network, path)
		l.SetUnlinkOnClose(false) // the name lives on
		first := dialAt(t, a, path)
		accepted, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		guard(t, accepted)
		clients := []*afunix.Conn{dialAt(t, a, path), dialAt(t, a, path)}
		for i, c := range clients {
			mustWriteMsg(t, c, fmt.Sprint("early", i), testenv.TempFile(t, "file"))
		}
		silent := dialInSilence(t, path, socketNumbers[a.network])
		stop := keepDialling(t, a, path)
		p.moves(t, l)
		if c, err := l.AcceptConn(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("AcceptConn of a listener that has moved: %v, %v", c, err)
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close of a listener that has moved: %v", err)
		}
		p.order(t, path, "see 0")
		expectAlive(t, first, accepted)
		for i, c := range clients {
			p.order(t, "accepted", "accept 0")
			p.order(t, fmt.Sprintf("early%d +file", i), "read %d", i+1)
			p.goOnApart(t, i+1, c)
		}
		dialled := stop()
		next := len(clients) + 1
		for range dialled {
			p.order(t, "accepted", "accept 0")
			p.order(t, "hello", "read %d", next)
			p.order(t, "written", "write %d welcome", next)
			next++
		}
		late := dialAt(t, a, path)
		p.order(t, "accepted", "accept 0")
		p.goOnApart(t, next, late)
		silent.Close()
		p.order(t, "closed", "close 0")
		for _, c := range dialled {
			expectMsg(t, c, "welcome")
		}
		p.finish(t)
		if c, err := (&afunix.Dialer{Transport: a.transport}).DialContext(t.Context(), a.network, path); err == nil {
			c.Close()
			t.Error("somebody still listens")
		}
	})
}

// keepDialling dials again and again until stop is called, which returns the clients.
func keepDialling(t *testing.T, a meeting, path string) (stop func() []*afunix.Conn) {
	ctx, cancel := context.WithCancel(t.Context())
	clients := make(chan []*afunix.Conn)
	begun := make(chan struct{})
	go func() {
		var made []*afunix.Conn
		for ctx.Err() == nil && len(made) < 50 {
			c, err := (&afunix.Dialer{Transport: a.transport}).DialContext(t.Context(), a.network, path)
			if err != nil {
				t.Errorf("client %d: %v", len(made), err)
				break
			}
			c.SetDeadline(time.Now().Add(patience))
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Errorf("client %d: %v", len(made), err)
			}
			if made = append(made, c); len(made) == 3 {
				close(begun)
			}
		}
		clients <- made
	}()
	select {
	case <-begun:
	case <-time.After(patience):
		t.Error("it takes too long to dial")
	}
	return func() []*afunix.Conn {
		cancel()
		made := <-clients
		for _, c := range made {
			guard(t, c)
		}
		return made
	}
}

// A listener that has been here and there and is here again.
func TestExchangeAListenerComesBack(t *testing.T) {
	eachMove(t, listened, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		path := socketPath(t)
		l := listen(t, a.transport, a.network, path)
		l.SetUnlinkOnClose(false)
		early := dialAt(t, a, path)
		p.moves(t, l)
		between := dialAt(t, a, path)
		p.says(t, "give 0")
		line, r, err := p.hear()
		if err != nil || line != "here" {
			t.Fatal(line, err)
		}
		defer r.Close()
		back, err := r.Listener(0)
		if err != nil {
			t.Fatal(err)
		}
		defer back.Close()
		back.(*afunix.Listener).SetDeadline(time.Now().Add(patience))
		for _, c := range []*afunix.Conn{early, between, dialAt(t, a, path)} {
			s, err := back.Accept()
			if err != nil {
				t.Fatal(err)
			}
			guard(t, s.(*afunix.Conn))
			expectAlive(t, c, s.(*afunix.Conn))
		}
		p.finish(t)
	})
}

// bound returns a datagram socket with a name.
func bound(t *testing.T, a meeting, path string) *afunix.Conn {
	t.Helper()
	c, err := (&afunix.ListenConfig{Transport: a.transport}).ListenPacket(t.Context(), "unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	guard(t, c)
	return c
}

// A datagram socket moves with what has been sent to it, by senders with and without a name.
// Senders that are connected to it go on. It answers under its own name.
func TestExchangeADatagramSocketMovesWithItsQueue(t *testing.T) {
	eachMove(t, []string{"unixgram"}, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		path := socketPath(t)
		s := bound(t, a, path)
		named := bound(t, a, path+"n")
		to := &net.UnixAddr{Name: path, Net: "unixgram"}
		connected := dialAt(t, a, path)
		for i, c := range []*afunix.Conn{connected, named, connected} {
			dest := to
			if c == connected {
				dest = nil
			}
			if _, err := c.WriteMsgTo([]byte(fmt.Sprint("early", i)), dest, testenv.TempFile(t, "file")); err != nil {
				t.Fatal(err)
			}
		}
		p.moves(t, s)
		expectGone(t, s)
		p.order(t, path+" nobody unknown", "see 0")
		p.order(t, "early0 +file", "read 0")
		p.order(t, "early1 +file from "+path+"n", "read 0")
		p.order(t, "early2 +file", "read 0")
		mustWriteMsg(t, connected, "later", testenv.TempFile(t, "file"))
		p.order(t, "later +file", "read 0")
		if _, err := named.WriteMsgTo([]byte("more"), to, testenv.TempFile(t, "file")); err != nil {
			t.Fatal(err)
		}
		p.order(t, "more +file from "+path+"n", "read 0")
		mustWriteMsg(t, dialAt(t, a, path), "new", testenv.TempFile(t, "file"))
		p.order(t, "new +file", "read 0")
		p.says(t, "give 0")
		back := p.receive(t, "here", 1)[0]
		mustWriteMsg(t, connected, "home", testenv.TempFile(t, "file"))
		expectMsg(t, back, "home +file")
		if _, err := back.WriteTo([]byte("answer"), &net.UnixAddr{Name: path + "n", Net: "unixgram"}); err != nil {
			t.Error(err)
		}
		expectMsg(t, named, "answer from "+path)
		p.finish(t)
	})
}

// The sender that is connected moves, and goes on to send to the same socket, under its own name.
func TestExchangeADatagramSenderMoves(t *testing.T) {
	eachMove(t, []string{"unixgram"}, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		path := socketPath(t)
		s := bound(t, a, path)
		c, err := (&afunix.Dialer{Transport: a.transport, LocalAddr: &net.UnixAddr{Name: path + "c", Net: "unixgram"}}).DialContext(t.Context(), "unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		mustWriteMsg(t, c, "before")
		p.moves(t, c)
		p.order(t, "written", "write 0 after file")
		expectMsg(t, s, "before from "+path+"c")
		expectMsg(t, s, "after +file from "+path+"c")
		if _, err := s.WriteTo([]byte("answer"), &net.UnixAddr{Name: path + "c", Net: "unixgram"}); err != nil {
			t.Fatal(err)
		}
		p.order(t, "answer from "+path, "read 0")
		s.Close()
		if err := p.say("write 0 x"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.hear(); err == nil || !strings.Contains(err.Error(), "refused") && !strings.Contains(err.Error(), "reset") {
			t.Errorf("a datagram to a socket that is closed: %v; want ECONNREFUSED", err)
		}
		p.finish(t)
	})
}

// Senders never stop while the socket moves there and back: each datagram arrives once, those of a
// sender in their order.
func TestExchangeADatagramSocketMovesUnderFire(t *testing.T) {
	eachMove(t, []string{"unixgram"}, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		path := socketPath(t)
		s := bound(t, a, path)
		const senders, each = 3, 60
		sent := make(chan error, senders)
		for i := range senders {
			c := dialAt(t, a, path)
			go func() {
				for j := range each {
					if _, err := c.Write([]byte(fmt.Sprintf("%d-%d", i, j))); err != nil {
						sent <- fmt.Errorf("sender %d, datagram %d: %w", i, j, err)
						return
					}
				}
				sent <- nil
			}()
		}
		next := make([]int, senders)
		there := false
		for n := range senders * each {
			var got string
			if n%20 == 10 {
				if there = !there; there {
					p.moves(t, s)
				} else {
					p.says(t, fmt.Sprintf("give %d", n/40))
					s = p.receive(t, "here", 1)[0]
				}
			}
			if there {
				p.says(t, fmt.Sprintf("read %d", (n-10)/40))
				var err error
				if got, _, err = p.hear(); err != nil {
					t.Fatal(err)
				}
			} else {
				buf := make([]byte, 100)
				m, err := s.ReadMsg(buf)
				if err != nil {
					t.Fatal(err)
				}
				got = string(m.Data)
			}
			var i, j int
			if _, err := fmt.Sscanf(got, "%d-%d", &i, &j); err != nil || i >= senders || j != next[i] {
				t.Fatalf("datagram %d is %q; next are %v", n, got, next)
			}
			next[i]++
		}
		for range senders {
			if err := <-sent; err != nil {
				t.Error(err)
			}
		}
		p.finish(t)
	})
}
