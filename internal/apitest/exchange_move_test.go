//go:build linux || windows

package apitest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// Ends of the pipe transport that move between processes (P8).

// eachMove is eachSide over the pipe transport.
func eachMove(t *testing.T, networks []string, f func(t *testing.T, a meeting)) {
	eachSide(t, networks, func(t *testing.T, a meeting) {
		if a.transport == afunix.KernelTransport {
			t.Skip("there an end is duplicated, as the kernel does")
		}
		f(t, a)
	})
}

// expectAlive lets two ends exchange a file each.
func expectAlive(t *testing.T, a, b *afunix.Conn) {
	t.Helper()
	mustWriteMsg(t, a, "there", testenv.TempFile(t, "file"))
	expectMsg(t, b, "there +file")
	mustWriteMsg(t, b, "back", testenv.TempFile(t, "another"))
	expectMsg(t, a, "back +another")
}

// expectGone calls everything that c has, which is to behave as closed.
func expectGone(t *testing.T, c *afunix.Conn) {
	t.Helper()
	buf := make([]byte, 10)
	for name, err := range map[string]error{
		"Read":               second(c.Read(buf)),
		"ReadFrom":           func() error { _, _, err := c.ReadFrom(buf); return err }(),
		"ReadMsg":            second(c.ReadMsg(buf)),
		"PeekMsg":            second(c.PeekMsg(buf)),
		"Write":              second(c.Write(buf)),
		"WriteMsg":           second(c.WriteMsg(buf, os.Stdin)),
		"CloseRead":          c.CloseRead(),
		"CloseWrite":         c.CloseWrite(),
		"SetDeadline":        c.SetDeadline(time.Time{}),
		"SetReadDeadline":    c.SetReadDeadline(time.Time{}),
		"SetWriteDeadline":   c.SetWriteDeadline(time.Time{}),
		"SetReadBuffer":      c.SetReadBuffer(10000),
		"SetWriteBuffer":     c.SetWriteBuffer(10000),
		"SetPassCredentials": c.SetPassCredentials(true),
		"Close":              c.Close(),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s of an end that has moved: %v; want net.ErrClosed", name, err)
		}
	}
}

// What is in the queue of an end goes along, and both go on as before, with descriptors in both
// directions, up to the end.
func TestExchangeAnEndMovesWithItsQueue(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		for i, ends := range []func() (near, far *afunix.Conn){
			func() (near, far *afunix.Conn) { return pair(t, a.transport, a.network) },
			func() (near, far *afunix.Conn) { far, near = pair(t, a.transport, a.network); return near, far },
		} {
			near, far := ends()
			mustWriteMsg(t, far, "early", testenv.TempFile(t, "one"), testenv.TempFile(t, "two"))
			mustWriteMsg(t, far, "late", testenv.TempFile(t, "three"))
			mustWriteMsg(t, near, "last")
			p.moves(t, near)
			expectGone(t, near)
			expectMsg(t, far, "last")
			p.order(t, "early +one +two", "read %d", i)
			p.order(t, "late +three", "read %d", i)
			p.goOnApart(t, i, far)
			p.order(t, "closed", "close %d", i)
			expectPeerGone(t, far)
		}
		p.finish(t)
	})
}

// expectPeerGone expects what an end shows when the other one is closed.
func expectPeerGone(t *testing.T, c *afunix.Conn) {
	t.Helper()
	want := error(io.EOF)
	if c.LocalAddr().Network() == "unixgram" { // it has no end
		want = os.ErrDeadlineExceeded
		c.SetReadDeadline(time.Now().Add(aMoment))
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		t.Errorf("Read = %d, %v; want %v", n, err, want)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("Write succeeds, and nobody is there")
	}
}

// A dialled connection keeps its names, and who is there is what the system said when it was made.
func TestExchangeAnEndMovesWithItsNames(t *testing.T) {
	eachMove(t, listened, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		client, server := connect(t, a.transport, a.network)
		views := []string{seen(client), seen(server)}
		p.moves(t, client)
		p.moves(t, server)
		p.order(t, views[0], "see 0")
		p.order(t, views[1], "see 1")
		p.order(t, "written", "write 0 hello file")
		p.order(t, "hello +file", "read 1")
		p.finish(t)
	})
}

// Half-closes go along, of either end and in either direction.
func TestExchangeHalfClosesMove(t *testing.T) {
	eachMove(t, listened, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		near, far := pair(t, a.transport, a.network)
		mustWriteMsg(t, near, "last", testenv.TempFile(t, "words"))
		if err := near.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.moves(t, near)
		expectMsg(t, far, "last +words")
		expectMsg(t, far, "the end")
		mustWriteMsg(t, far, "answer", testenv.TempFile(t, "file"))
		p.order(t, "answer +file", "read 0")
		if err := p.say("write 0 more"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.hear(); err == nil || !strings.Contains(err.Error(), "broken pipe") && !strings.Contains(err.Error(), "EPIPE") {
			t.Errorf("a write where writing has been shut down: %v", err)
		}

		near, far = pair(t, a.transport, a.network)
		mustWriteMsg(t, far, "last", testenv.TempFile(t, "words"))
		if err := far.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.moves(t, near)
		p.order(t, "last +words", "read 1")
		p.order(t, "the end", "read 1")
		p.order(t, "written", "write 1 answer file")
		expectMsg(t, far, "answer +file")
		p.order(t, "shut", "shut 1")
		expectMsg(t, far, "the end")
		p.finish(t)
	})
}

// Messages carry the credentials of the process that has written them, before and after a move of
// either end. The wish for credentials goes along.
func TestExchangeCredentialsAreTheWriters(t *testing.T) {
	eachMove(t, all, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		me, it := os.Getpid(), p.cmd.Process.Pid
		near, far := pair(t, a.transport, a.network)
		for _, c := range []*afunix.Conn{near, far} {
			if err := c.SetPassCredentials(true); err != nil {
				t.Fatal(err)
			}
		}
		mustWriteMsg(t, near, "before")
		mustWriteMsg(t, far, "to the old owner")
		p.moves(t, near)
		p.order(t, "written", "write 0 after")
		before, after, last, home := fmt.Sprint("before of ", me), fmt.Sprint("after of ", it), fmt.Sprint("last of ", it), fmt.Sprint("home of ", me)
		expectMsg(t, far, before)
		expectMsg(t, far, after)
		p.order(t, fmt.Sprint("to the old owner of ", me), "read 0")
		mustWriteMsg(t, far, "to the new owner")
		p.order(t, fmt.Sprint("to the new owner of ", me), "read 0")
		p.order(t, "written", "write 0 last")
		p.says(t, "give 0")
		near = p.receive(t, "here", 1)[0]
		mustWriteMsg(t, near, "home")
		expectMsg(t, far, last)
		expectMsg(t, far, home)
		if peer, err := far.PeerCredentials(); peer.PID != me || err != nil {
			t.Errorf("PeerCredentials = %+v, %v; want process %d, which made the pair", peer, err, me)
		}
		p.finish(t)
	})
}

// A Read and a Write that wait when the end moves are ended like by Close. What the Write has
// written until then has been written.
func TestExchangeBlockedCallsEndWhenTheirEndMoves(t *testing.T) {
	eachMove(t, streams, func(t *testing.T, a meeting) {
		p := meet(t, a, "obey")
		near, far := pair(t, a.transport, a.network)
		type outcome struct {
			n   int
			err error
		}
		reads, writes := make(chan outcome, 1), make(chan outcome, 1)
		go func() {
			n, err := near.Read(make([]byte, 10))
			reads <- outcome{n, err}
		}()
		go func() {
			n, err := near.Write(make([]byte, 8<<20))
			writes <- outcome{n, err}
		}()
		// The first byte shows that the Write has begun. The Write cannot end, and takes what room
		// there is.
		if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		p.moves(t, near)
		if o := <-reads; o.n != 0 || !errors.Is(o.err, net.ErrClosed) {
			t.Errorf("Read = %d, %v; want net.ErrClosed", o.n, o.err)
		}
		o := <-writes
		if o.n == 0 || o.n == 8<<20 || !errors.Is(o.err, net.ErrClosed) {
			t.Errorf("Write = %d, %v; want a part, and net.ErrClosed", o.n, o.err)
		}
		p.order(t, "closed", "close 0")
		if n, err := io.Copy(io.Discard, onlyReader{far}); n != int64(o.n)-1 || err != nil {
			t.Errorf("the peer has read %d bytes, %v; written were %d", n+1, err, o.n)
		}
		p.finish(t)
	})
}
