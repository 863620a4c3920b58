package winsock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"
	"golang.org/x/sys/windows"

	"afunix/internal/leaktest"
)

// soon bounds what should happen at once.
const soon = 10 * time.Second

func TestConnKeepsThePromisesOfNetConn(t *testing.T) {
	leaktest.Check(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := connPair(t)
		return a, b, func() { a.Close(); b.Close() }, nil
	})
}

func TestConnHasTheAddressesOfTheSocket(t *testing.T) {
	x, y := tcpPair(t)
	local, remote := x.LocalAddr().String(), x.RemoteAddr().String()
	defer y.Close()
	c := newConn(t, receive(t, x))
	if l, ok := c.LocalAddr().(*net.TCPAddr); !ok || l.String() != local {
		t.Errorf("local address is %v (%T), want %v", c.LocalAddr(), c.LocalAddr(), local)
	}
	if r, ok := c.RemoteAddr().(*net.TCPAddr); !ok || r.String() != remote {
		t.Errorf("remote address is %v (%T), want %v", c.RemoteAddr(), c.RemoteAddr(), remote)
	}
}

func TestNewRefusesOtherHandlesAndLeavesThemOpen(t *testing.T) {
	leaktest.Check(t)
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(event)
	x, y := tcpPair(t)
	defer y.Close()
	stream := receive(t, x)
	defer windows.Closesocket(stream)
	datagram := receive(t, listenUDP(t))
	defer windows.Closesocket(datagram)

	makers := map[string]func(windows.Handle) error{
		"conn":       func(h windows.Handle) error { _, err := NewConn(h); return err },
		"listener":   func(h windows.Handle) error { _, err := NewListener(h); return err },
		"packetconn": func(h windows.Handle) error { _, err := NewPacketConn(h); return err },
	}
	for _, test := range []struct {
		maker  string
		handle windows.Handle
		want   error
	}{
		{"conn", event, windows.WSAENOTSOCK},
		{"listener", event, windows.WSAENOTSOCK},
		{"packetconn", event, windows.WSAENOTSOCK},
		{"conn", datagram, windows.WSAEPROTOTYPE},
		{"packetconn", stream, windows.WSAEPROTOTYPE},
		{"listener", stream, windows.WSAEINVAL},
	} {
		if err := makers[test.maker](test.handle); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.maker, err, test.want)
		}
	}
	if _, err := windows.Getsockname(stream); err != nil {
		t.Errorf("the socket was closed: %v", err)
	}
}

func TestReadReturnsEOFAfterCloseWrite(t *testing.T) {
	a, b := connPair(t)
	if _, err := a.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(b)
	if err != nil || string(got) != "last words" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("error is %v, want a bare io.EOF", err)
	}
	if _, err := b.Write([]byte("reply")); err != nil {
		t.Errorf("the other direction: %v", err)
	}
	if err := b.CloseRead(); err != nil {
		t.Error(err)
	}
}

func TestEmptyReadAndWriteDoNotWait(t *testing.T) {
	a, _ := connPair(t)
	if n, err := a.Read(nil); n != 0 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	if n, err := a.Write(nil); n != 0 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
}

func TestDeadlineCanBeMovedWhileBlocked(t *testing.T) {
	a, b := connPair(t)
	if err := b.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := b.Read(make([]byte, 1))
		failed <- err
	}()
	waitBlocked(t, b.socket, &b.reading)
	start := time.Now()
	if err := b.SetReadDeadline(start.Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	// Later again, before the first one is over.
	if err := b.SetReadDeadline(start.Add(150 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("it ended after %v, before the deadline", took)
	}
	// And it works again once the deadline is gone.
	if err := b.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

// TestTimerOfAFormerDeadlineDoesNotCount fires a timer as if it had been running when the deadline
// was moved.
func TestTimerOfAFormerDeadlineDoesNotCount(t *testing.T) {
	a, b := connPair(t)
	for _, deadline := range []time.Time{time.Now().Add(time.Hour), {}} {
		if err := b.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		b.timeUp(&b.reading)
		mustWrite(t, a, []byte("x"))
		mustRead(t, b, make([]byte, 1))
	}
}

// waitBlocked waits until a call in direction d of s waits for Windows.
func waitBlocked(t *testing.T, s *socket, d *direction) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for give := time.After(soon); ; {
		s.mu.Lock()
		blocked := d.pending
		s.mu.Unlock()
		if blocked {
			return
		}
		select {
		case <-give:
			t.Fatal("no call blocks")
		case <-again.C:
		}
	}
}

func TestWriteThatADeadlineEndsSaysHowMuchWent(t *testing.T) {
	a, b := connPair(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	if err := a.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := a.Write(data)
	if !errors.Is(err, os.ErrDeadlineExceeded) || n <= 0 || n >= len(data) {
		t.Fatalf("wrote %d of %d, %v", n, len(data), err)
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(b)
	if err != nil || len(got) != n || !bytes.Equal(got, data[:n]) {
		t.Errorf("the peer read %d bytes, %v; Write had said %d", len(got), err, n)
	}
}

func TestCloseWakesEveryBlockedCall(t *testing.T) {
	leaktest.Check(t)
	x, y := tcpPair(t)
	defer y.Close()
	// Somebody else has the socket, too: closing a handle would not be enough.
	other, err := importSocket(export(t, x, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer windows.Closesocket(other)
	c := newConn(t, receive(t, x))

	failed := make(chan error, 6)
	for range 3 {
		go func() {
			_, err := c.Read(make([]byte, 1))
			failed <- err
		}()
		go func() {
			_, err := c.Write(make([]byte, 64<<20))
			failed <- err
		}()
	}
	waitBlocked(t, c.socket, &c.reading)
	waitBlocked(t, c.socket, &c.writing)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	give := time.After(soon)
	for range cap(failed) {
		select {
		case err := <-failed:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("error is %v, want net.ErrClosed", err)
			}
		case <-give:
			t.Fatal("a call did not return")
		}
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v", err)
	}
}

// TestInterruptionBetweenStartAndMark interrupts a call that Windows has already begun, but that
// nobody can cancel yet.
func TestInterruptionBetweenStartAndMark(t *testing.T) {
	for name, test := range map[string]struct {
		interrupt func(c *Conn)
		want      error
	}{
		"deadline": {func(c *Conn) { _ = c.SetReadDeadline(time.Now().Add(-1)) }, os.ErrDeadlineExceeded},
		"Close": {func(c *Conn) {
			go c.Close()
			for c.ready(&c.reading) == nil {
				runtime.Gosched()
			}
		}, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := connPair(t)
			if err := c.use(); err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() {
				defer c.done()
				_, err := c.do(&c.reading, func(h windows.Handle, o *operation) error {
					err := submitRecv(h, o)
					test.interrupt(c)
					return err
				}, "wsarecv", make([]byte, 1))
				failed <- err
			}()
			select {
			case err := <-failed:
				if err != test.want {
					t.Errorf("error is %v, want %v", err, test.want)
				}
			case <-time.After(soon):
				t.Fatal("the call was not interrupted")
			}
		})
	}
}

// TestReadSurvivesCancellationByOthers stands for the end of a thread, which cancels what the
// thread has started.
func TestReadSurvivesCancellationByOthers(t *testing.T) {
	a, b := connPair(t)
	read := make(chan error, 1)
	go func() {
		_, err := b.Read(make([]byte, 1))
		read <- err
	}()
	waitBlocked(t, b.socket, &b.reading)
	if err := windows.CancelIoEx(b.handle, nil); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, a, []byte("x"))
	if err := <-read; err != nil {
		t.Errorf("read: %v", err)
	}
}

func TestWritesAreNotInterleaved(t *testing.T) {
	const writers, size = 4, 3 << 20
	a, b := connPair(t)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			if _, err := a.Write(bytes.Repeat([]byte{byte('a' + i)}, size)); err != nil {
				t.Error(err)
			}
		})
	}
	got := make([]byte, writers*size)
	if _, err := io.ReadFull(b, got); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for i := range writers {
		block := got[i*size : (i+1)*size]
		if bytes.Count(block, block[:1]) != size {
			t.Errorf("block %d has bytes of several writes", i)
		}
	}
}

func TestConnsAllocateNothing(t *testing.T) {
	a, b := connPair(t)
	buf := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() { mustWrite(t, a, buf); mustRead(t, b, buf) }); n != 0 {
		t.Errorf("%v allocations when the data is there", n)
	}

	echoed := make(chan struct{})
	go func() {
		defer close(echoed)
		buf := make([]byte, 64)
		for {
			n, err := b.Read(buf)
			if err != nil {
				return
			}
			mustWrite(t, b, buf[:n])
		}
	}()
	if n := testing.AllocsPerRun(100, func() { mustWrite(t, a, buf); mustRead(t, a, buf) }); n != 0 {
		t.Errorf("%v allocations when the data is waited for", n)
	}
	a.Close()
	<-echoed
}

func TestDroppedConnIsClosed(t *testing.T) {
	leaktest.Check(t)
	x, y := tcpPair(t)
	defer y.Close()
	c, err := NewConn(receive(t, x))
	if err != nil {
		t.Fatal(err)
	}
	// A deadline far off does not hold it.
	if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, c, []byte("x"))
	mustRead(t, y, make([]byte, 1))
	c = nil
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for again := time.NewTicker(time.Millisecond); ; <-again.C {
			runtime.GC()
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	if err := y.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	if _, err := y.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer reads %v, want EOF", err)
	}
}

func mustWrite(t *testing.T, w io.Writer, b []byte) {
	if n, err := w.Write(b); n != len(b) || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
}

func mustRead(t *testing.T, r io.Reader, b []byte) {
	if n, err := r.Read(b); n != len(b) || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestReceivedConnCanBeSentOn(t *testing.T) {
	a, b := connPair(t)
	c := newConn(t, receive(t, a))
	mustWrite(t, c, []byte("again"))
	mustRead(t, b, make([]byte, 5))
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Read(func(uintptr) bool { return true }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("raw read: %v", err)
	}
	c.Close()
	if err := raw.Control(func(uintptr) { t.Error("called") }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("control after Close: %v", err)
	}
}

// TestErrorsAreThoseOfPackageNet makes the same mistakes with a connection of package net and with
// one of ours.
func TestErrorsAreThoseOfPackageNet(t *testing.T) {
	for name, provoke := range map[string]func(c net.Conn) error{
		"read after deadline": func(c net.Conn) error {
			_ = c.SetReadDeadline(time.Now().Add(-time.Second))
			_, err := c.Read(make([]byte, 1))
			return err
		},
		"write after deadline": func(c net.Conn) error {
			_ = c.SetWriteDeadline(time.Now().Add(-time.Second))
			_, err := c.Write(make([]byte, 1))
			return err
		},
		"read after Close":  func(c net.Conn) error { c.Close(); _, err := c.Read(make([]byte, 1)); return err },
		"write after Close": func(c net.Conn) error { c.Close(); _, err := c.Write(make([]byte, 1)); return err },
		"deadline after Close": func(c net.Conn) error {
			c.Close()
			return c.SetDeadline(time.Time{})
		},
		"Close after Close": func(c net.Conn) error { c.Close(); return c.Close() },
		"CloseWrite after Close": func(c net.Conn) error {
			c.Close()
			return c.(interface{ CloseWrite() error }).CloseWrite()
		},
		"write after CloseWrite": func(c net.Conn) error {
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			_, err := c.Write(make([]byte, 1))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			theirs, y := tcpPair(t)
			defer y.Close()
			ours, _ := connPair(t)
			defer theirs.Close()
			compareErrors(t, provoke(ours), provoke(theirs), ours, theirs)
		})
	}
}

// compareErrors wants two *net.OpError with the same fields; the addresses are those of the
// connections.
func compareErrors(t *testing.T, got, want error, ours, theirs net.Conn) {
	t.Helper()
	g, ok := got.(*net.OpError)
	if !ok {
		t.Fatalf("error is %v (%T), want a *net.OpError", got, got)
	}
	w := want.(*net.OpError)
	if g.Op != w.Op || g.Net != w.Net || g.Err.Error() != w.Err.Error() || g.Timeout() != w.Timeout() {
		t.Errorf("error is %v, want %v", got, want)
	}
	if role(g.Source, ours) != role(w.Source, theirs) || role(g.Addr, ours) != role(w.Addr, theirs) {
		t.Errorf("addresses in %v are not those in %v", got, want)
	}
}

// role says which address of c a is.
func role(a net.Addr, c net.Conn) string {
	switch a {
	case nil:
		return "none"
	case c.LocalAddr():
		return "local"
	case c.RemoteAddr():
		return "remote"
	}
	return a.String()
}
