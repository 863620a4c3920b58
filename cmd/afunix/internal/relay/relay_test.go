package relay

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience bounds every wait that should not last.
const patience = 30 * time.Second

// each runs a test over every transport that there is here, for these types of sockets.
func each(t *testing.T, test func(t *testing.T, tr afunix.Transport, network string), networks ...string) {
	for _, tr := range []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport} {
		for _, network := range networks {
			t.Run(tr.String()+"/"+network, func(t *testing.T) {
				a, b, err := tr.Pair(network)
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip("this system lacks it")
				}
				if err != nil {
					t.Fatal(err)
				}
				a.Close()
				b.Close()
				if tr == afunix.PipeTransport {
					testenv.NeedPipeRights(t)
				}
				leaktest.Check(t)
				test(t, tr, network)
			})
		}
	}
}

// A relayed connection: what a sends goes through a relay to b, and the other way round.
type relayed struct {
	a, b   *afunix.Conn
	joined chan error // how the relay has ended
}

func pair(t *testing.T, tr afunix.Transport, network string) (a, b *afunix.Conn) {
	t.Helper()
	a, b, err := tr.Pair(network)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*afunix.Conn{a, b} {
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// unjoined returns the ends of a relay that does not run yet: what is sent waits for it.
func unjoined(t *testing.T, tr afunix.Transport, network string) (r relayed, start func()) {
	a, ra := pair(t, tr, network)
	b, rb := pair(t, tr, network)
	for _, c := range []*afunix.Conn{ra, rb} {
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	r = relayed{a, b, make(chan error, 1)}
	toA, toB := Socket(ra), Socket(rb)
	return r, func() {
		go func() {
			_, _, err := Join(toA, toB)
			r.joined <- err
		}()
	}
}

func between(t *testing.T, tr afunix.Transport, network string) relayed {
	r, start := unjoined(t, tr, network)
	start()
	return r
}

// ends waits for the end of the relay.
func (r relayed) ends(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.joined:
		return err
	case <-time.After(patience):
		t.Fatal("the relay goes on")
		return nil
	}
}

func send(t *testing.T, c *afunix.Conn, text string, files ...afunix.Sendable) {
	t.Helper()
	if n, err := c.WriteMsg([]byte(text), files...); n != len(text) || err != nil {
		t.Fatalf("WriteMsg = %d, %v", n, err)
	}
}

func expectEnd(t *testing.T, c *afunix.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 9)); n != 0 || err != io.EOF {
		t.Errorf("Read = %d, %v; want the end", n, err)
	}
}

func closeAll(t *testing.T, closers ...io.Closer) {
	t.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// textOf is what the received file says.
func textOf(t *testing.T, r afunix.Rights, i int) string {
	t.Helper()
	f, err := r.File(i)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A descriptor arrives with the byte that it was sent with, whatever lies in front of it: a program
// that takes that with read(2) does not lose the descriptor.
func TestADescriptorArrivesWithItsByte(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		r, start := unjoined(t, tr, network)
		send(t, r.a, "four")
		send(t, r.a, "and more", testenv.TempFile(t, "first"))
		send(t, r.a, "x", testenv.TempFile(t, "second"))
		send(t, r.a, "y", testenv.TempFile(t, "third"), testenv.TempFile(t, "fourth"))
		send(t, r.a, "rest")
		if err := r.a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		start()
		b := make([]byte, 4)
		if _, err := io.ReadFull(r.b, b); string(b) != "four" || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
		for _, want := range []string{"and more: first ", "x: second ", "y: third fourth ", "rest: "} {
			m, err := r.b.ReadMsg(make([]byte, 100))
			if err != nil {
				t.Fatal(err)
			}
			got := string(m.Data) + ": "
			for i := range m.Rights.Len() {
				got += textOf(t, m.Rights, i) + " "
			}
			if got != want {
				t.Errorf("%q; want %q", got, want)
			}
		}
		expectEnd(t, r.b)
		closeAll(t, r.a, r.b)
		if err := r.ends(t); err != nil {
			t.Error(err)
		}
	}, "unix")
}

// An empty record is no end, and the end is none.
func TestEmptyRecords(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		r := between(t, tr, network)
		if err := r.b.SetPassCredentials(true); err != nil { // or nobody could tell
			t.Skip("an empty record is taken for the end on this system: ", err)
		}
		for _, want := range []string{"", "x", ""} {
			send(t, r.a, want)
			if m, err := r.b.ReadMsg(make([]byte, 9)); string(m.Data) != want || err != nil {
				t.Errorf("%q, %v; want %q", m.Data, err, want)
			}
		}
		closeAll(t, r.a)
		expectEnd(t, r.b)
		closeAll(t, r.b)
		if err := r.ends(t); err != nil {
			t.Error(err)
		}
	}, "unixpacket")
}

// Whatever is sent, with descriptors here and there: each descriptor arrives with its byte.
func TestDescriptorsAnywhere(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		r := between(t, tr, network)
		var sent []int // at which byte there are descriptors
		plan := make([][2]int, 200)
		at := 0
		for i := range plan {
			plan[i] = [2]int{1 + random.IntN(1<<random.IntN(15)), max(0, random.IntN(5)-2)}
			for range plan[i][1] {
				sent = append(sent, at)
			}
			at += plan[i][0]
		}
		written := make(chan error, 1)
		go func() {
			for _, p := range plan {
				files := make([]afunix.Sendable, p[1])
				for i := range files {
					files[i] = null
				}
				if _, err := r.a.WriteMsg(make([]byte, p[0]), files...); err != nil {
					written <- err
					return
				}
			}
			written <- r.a.CloseWrite()
		}()
		var got []int
		seen := 0
		for {
			// A byte at a time shows where the descriptors are.
			m, err := r.b.ReadMsg(make([]byte, 1))
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for range m.Rights.Len() {
				got = append(got, seen)
			}
			m.Rights.Close()
			seen += len(m.Data)
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
		if seen != at || fmt.Sprint(got) != fmt.Sprint(sent) {
			t.Errorf("seed %d: %d bytes with descriptors at %v; want %d, %v", seed, seen, got, at, sent)
		}
		closeAll(t, r.a, r.b)
		if err := r.ends(t); err != nil {
			t.Error(err)
		}
	}, "unix")
}

// A record arrives as one, however long, with its descriptors.
func TestRecordsStayWhole(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		r := between(t, tr, network)
		for _, size := range []int{1, bufferSize, bufferSize + 1, 200000} {
			sent, what := make(chan error, 1), testenv.TempFile(t, "a file")
			go func() {
				_, err := r.a.WriteMsg(make([]byte, size), what)
				sent <- err
			}()
			m, err := r.b.ReadMsg(make([]byte, 300000))
			if err != nil || len(m.Data) != size || m.Truncated || m.Rights.Len() != 1 {
				t.Fatalf("%d bytes, %d descriptors, %v; want %d", len(m.Data), m.Rights.Len(), err, size)
			}
			if got := textOf(t, m.Rights, 0); got != "a file" {
				t.Errorf("%q", got)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		}
		closeAll(t, r.a, r.b)
		if err := r.ends(t); err != nil {
			t.Error(err)
		}
	}, "unixpacket")
}

// An end of ours that is sent moves through the relay, which keeps nothing of it.
func TestAnEndMovesThrough(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		r := between(t, tr, network)
		x, y := pair(t, tr, "unix")
		send(t, x, "before")
		send(t, r.a, "an end", y)
		y.Close() // fails if it has moved
		m, err := r.b.ReadMsg(make([]byte, 100))
		if err != nil || m.Rights.Len() != 1 {
			t.Fatalf("%d descriptors, %v", m.Rights.Len(), err)
		}
		c, err := m.Rights.Conn(0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		if n, err := c.Read(b); string(b[:n]) != "before" || err != nil {
			t.Errorf("%q, %v", b[:n], err)
		}
		closeAll(t, c)
		expectEnd(t, x)
		closeAll(t, x, r.a, r.b)
		if err := r.ends(t); err != nil {
			t.Error(err)
		}
	}, "unix", "unixpacket")
}

// A peer that closes its connection reads no more, and that is passed on: whoever has seen the end
// cannot send any more.
func TestACloseIsPassedOn(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		r := between(t, tr, network)
		closeAll(t, r.b)
		expectEnd(t, r.a)
		if _, err := r.a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) && !(tr == afunix.PipeTransport && network == "unixpacket") {
			t.Errorf("%v; want EPIPE", err)
		}
		closeAll(t, r.a)
		if err := r.ends(t); err != nil && !gone(err) {
			t.Error(err)
		}
	}, "unix", "unixpacket")
}

// The target goes away in the middle: the client learns of it, and nothing is left.
func TestTheTargetGoesAway(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		r := between(t, tr, network)
		send(t, r.a, "x", null)
		if _, err := r.b.PeekMsg(nil); err != nil { // it is there, and is never read
			t.Fatal(err)
		}
		closeAll(t, r.b)
		for err == nil { // what is on the way may be lost
			_, err = r.a.WriteMsg([]byte("y"), null)
		}
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v; want EPIPE, or ECONNRESET if something was unread", err)
		}
		closeAll(t, r.a)
		err = r.ends(t)
		var where *net.OpError
		if err != nil && (!gone(err) || !errors.As(err, &where)) {
			t.Errorf("%v; want that the target has gone, and where that was", err)
		}
	}, "unix", "unixpacket")
}

// The relay does not read on when the target does not: what is in flight is bounded.
func TestAStallIsPassedOn(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		r := between(t, tr, network)
		if err := r.a.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := r.a.Write(make([]byte, 64<<20))
		if n > 4<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes were taken, %v", n, err)
		}
		closeAll(t, r.a)
		if got, err := io.Copy(io.Discard, r.b); int(got) != n || err != nil {
			t.Errorf("%d bytes came, %v; want %d", got, err, n)
		}
		closeAll(t, r.b)
		if err := r.ends(t); err != nil && !gone(err) {
			t.Error(err)
		}
	}, "unix")
}

// tcpPair returns two ends of a TCP connection.
func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{c, s} {
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// Descriptors that come for TCP end the connection, with an error on both sides: they are not
// dropped.
func TestDescriptorsForTCP(t *testing.T) {
	each(t, func(t *testing.T, tr afunix.Transport, network string) {
		a, ra := pair(t, tr, network)
		rb, b := tcpPair(t)
		joined := make(chan error, 1)
		go func() {
			_, _, err := Join(Socket(ra), TCP(rb))
			joined <- err
		}()
		send(t, a, "x", testenv.TempFile(t, ""))
		err := relayed{joined: joined}.ends(t)
		if !errors.Is(err, afunix.ErrNotSendable) || !strings.HasPrefix(err.Error(), "a descriptor came, and tcp:127.0.0.1:") {
			t.Error(err)
		}
		if n, err := b.Read(make([]byte, 1)); err == nil { // a reset, but Wine may show the end
			t.Errorf("the target reads %d bytes", n)
		}
		expectEnd(t, a)
		closeAll(t, a, b)
	}, "unix")
}

// Files take part as streams: each direction ends on its own.
func TestFiles(t *testing.T) {
	leaktest.Check(t)
	rb, b := tcpPair(t)
	in, toIn, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromOut, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	joined := make(chan error, 1)
	go func() {
		_, _, err := Join(Files(in, out), TCP(rb))
		joined <- err
	}()
	text := strings.Repeat("text", bufferSize)
	go func() {
		io.WriteString(toIn, text)
		toIn.Close()
	}()
	got, err := io.ReadAll(b)
	if string(got) != text || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := io.WriteString(b, "answer"); err != nil {
		t.Fatal(err)
	}
	closeAll(t, b)
	if got, err := io.ReadAll(fromOut); string(got) != "answer" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	closeAll(t, fromOut)
	if err := (relayed{joined: joined}).ends(t); err != nil {
		t.Error(err)
	}
}
