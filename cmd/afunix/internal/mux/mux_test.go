package mux

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience bounds every wait that should not last.
const patience = 30 * time.Second

// pipes returns two ends of a pair of pipes.
func pipes(t testing.TB) (a, b pair) {
	t.Helper()
	r1, w1, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a, b = pair{r1, w2}, pair{r2, w1}
	t.Cleanup(func() { a.close(); b.close() })
	return a, b
}

// sessions returns the two sides of a pair of pipes.
func sessions(t testing.TB) (listens, dials *Session) {
	t.Helper()
	a, b := pipes(t)
	var err error
	done := make(chan error, 1)
	go func() {
		var err error
		dials, err = New(b.in, b.out, Dials)
		done <- err
	}()
	if listens, err = New(a.in, a.out, Listens); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, listens); finish(t, dials) })
	return listens, dials
}

// finish closes a session, and waits until nothing of it is left.
func finish(t testing.TB, s *Session) {
	s.Close()
	select {
	case <-s.Ended():
	case <-time.After(patience):
		t.Error("a session does not end")
	}
}

func connect(t testing.TB, l, d *Session, records bool) (a, b *Stream) {
	t.Helper()
	a, err := l.Open(records)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = d.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// readAll reads to the end.
func readAll(st *Stream) (string, error) {
	var all []byte
	for {
		b, _, err := st.Receive()
		if err == io.EOF {
			return string(all), nil
		}
		if err != nil {
			return string(all), err
		}
		all = append(all, b...)
	}
}

func send(t testing.TB, st *Stream, text string) {
	t.Helper()
	if err := st.Send([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func expect(t testing.TB, st *Stream, want string) {
	t.Helper()
	if got, _, err := st.Receive(); string(got) != want || err != nil {
		t.Fatalf("%q, %v; want %q", got, err, want)
	}
}

// within fails the test if f takes too long.
func within(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("it hangs")
	}
}

func TestEachDirectionEndsOnItsOwn(t *testing.T) {
	l, d := sessions(t)
	for range 2 {
		a, b := connect(t, l, d, false)
		send(t, a, "question")
		a.CloseWrite()
		if got, err := readAll(b); got != "question" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if !a.Takes() || !b.Takes() {
			t.Error("one of them takes no more")
		}
		send(t, b, "answer")
		b.CloseWrite()
		if got, err := readAll(a); got != "answer" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := a.Send([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("behind the end: %v", err)
		}
	}
	over(t, l)
	over(t, d)
}

// over expects that a session keeps nothing of its streams.
func over(t testing.TB, s *Session) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); ; <-again.C {
		s.mu.Lock()
		n := len(s.streams)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are left", n)
		}
	}
}

func TestWhoReadsNoMoreIsKnownToTheWriter(t *testing.T) {
	l, d := sessions(t)
	a, b := connect(t, l, d, false)
	send(t, a, "unread")
	b.CloseRead()
	within(t, func() {
		for a.Send(make([]byte, MaxPayload)) == nil { // a window full of it, at most
		}
	})
	if err := a.Send([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%v; want EPIPE", err)
	}
	if _, _, err := b.Receive(); err != io.EOF {
		t.Errorf("%v; want the end", err)
	}
	send(t, b, "back") // the other direction goes on
	expect(t, a, "back")
	a.Close(nil)
	b.Close(nil)
	over(t, l)
	over(t, d)
}

func TestAnErrorArrives(t *testing.T) {
	l, d := sessions(t)
	a, b := connect(t, l, d, false)
	send(t, b, "before")
	b.Close(errors.New("dial unix \x1b[31m/x: connection refused"))
	expect(t, a, "before")
	_, _, err := a.Receive()
	if want := "the other side: dial unix ?[31m/x: connection refused"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
	var remote *RemoteError
	if err := a.Send([]byte("x")); !errors.As(err, &remote) {
		t.Errorf("Send: %v", err)
	}
	a.Close(err)
	over(t, l)
	over(t, d)
}

func TestALongReasonIsCut(t *testing.T) {
	l, d := sessions(t)
	a, b := connect(t, l, d, false)
	b.Close(errors.New(strings.Repeat("x", 2*maxReason)))
	_, _, err := a.Receive()
	if err == nil || len(err.Error()) > maxReason+100 {
		t.Error(err)
	}
}

func TestRecordsKeepTheirBoundaries(t *testing.T) {
	l, d := sessions(t)
	a, b := connect(t, l, d, true)
	if !b.Records() {
		t.Error("the other side does not know")
	}
	records := []string{"one", "", "two", strings.Repeat("long", Window), ""}
	go func() {
		for _, r := range records {
			send(t, a, r)
		}
		a.CloseWrite()
	}()
	for _, want := range records {
		var got []byte
		for {
			data, more, err := b.Receive()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, data...)
			if !more {
				break
			}
		}
		if string(got) != want {
			t.Errorf("a record of %d bytes; want %d", len(got), len(want))
		}
	}
	if _, _, err := b.Receive(); err != io.EOF {
		t.Errorf("%v; want the end", err)
	}
}

// A stream that nobody reads from holds up no other, and is held up itself.
func TestAStalledStreamHoldsUpNoOther(t *testing.T) {
	l, d := sessions(t)
	stalled, unread := connect(t, l, d, false)
	filled := make(chan error, 1)
	go func() { filled <- stalled.Send(make([]byte, 10*Window)) }()
	a, b := connect(t, l, d, false)
	text := strings.Repeat("on", 10*Window)
	go func() {
		send(t, a, text)
		a.CloseWrite()
	}()
	within(t, func() {
		if got, err := readAll(b); got != text || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	select {
	case err := <-filled:
		t.Errorf("a stream that nobody reads from took everything: %v", err)
	default:
	}
	go stalled.Close(nil) // while it sends
	within(t, func() {
		if err := <-filled; !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%v; want EPIPE", err)
		}
	})
	if got, err := readAll(unread); len(got) > Window || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A thousand streams at once, in both directions: all bytes come, in order, and what is left is
// nothing.
func TestAThousandStreams(t *testing.T) {
	l, d := sessions(t)
	const streams = 1000
	var wg sync.WaitGroup
	wg.Go(func() {
		for range streams {
			b, err := d.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			wg.Go(func() { echo(t, b) })
		}
	})
	for i := range streams {
		wg.Go(func() {
			a, err := l.Open(false)
			if err != nil {
				t.Error(err)
				return
			}
			text := strings.Repeat(fmt.Sprint("text ", i, " "), rand.IntN(5000))
			wg.Go(func() {
				send(t, a, text)
				a.CloseWrite()
			})
			if got, err := readAll(a); got != text || err != nil {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(text))
			}
			a.Close(nil)
		})
	}
	within(t, wg.Wait)
	over(t, l)
	over(t, d)
}

func echo(t *testing.T, st *Stream) {
	for {
		b, _, err := st.Receive()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = st.Send(b)
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	st.Close(nil)
}

// More streams than there may be wait for room.
func TestMoreStreamsThanThereMayBe(t *testing.T) {
	l, d := sessions(t)
	var open []*Stream
	for range MaxStreams {
		a, b := connect(t, l, d, false)
		open = append(open, a, b)
	}
	opened := make(chan error, 1)
	go func() {
		_, err := l.Open(false)
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("one more was opened: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	open[0].Close(nil)
	open[1].Close(nil)
	within(t, func() {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	})
}

func TestTheEndOfTheOtherSide(t *testing.T) {
	l, d := sessions(t)
	a, _ := connect(t, l, d, false)
	d.Close()
	within(t, func() {
		if _, _, err := a.Receive(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Receive: %v", err)
		}
		if err := a.Send([]byte("x")); err == nil {
			t.Error("Send succeeds")
		}
		if _, err := l.Open(false); err == nil {
			t.Error("Open succeeds")
		}
	})
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "has gone") {
		t.Error(err)
	}
}

// The end of a session without streams is no error on either side.
func TestTheEndOfAnIdleSession(t *testing.T) {
	l, d := sessions(t)
	a, b := connect(t, l, d, false)
	a.Close(nil)
	b.Close(nil)
	over(t, l)
	over(t, d)
	l.Close()
	within(t, func() {
		if _, err := d.Accept(); err != net.ErrClosed {
			t.Error(err)
		}
	})
}
