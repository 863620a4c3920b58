package mux

import (
	"bytes"
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

// What is no other side is found out, and said.
func TestNoGreeting(t *testing.T) {
	for said, want := range map[string]string{
		"bash: afunix: command not found\n": `it says "bash: afunix: command not found`,
		"x":                                 `it says "x"`,
		"afunix-mux/2 dial\n":               `it speaks version "2", and this side version "1"`,
		"afunix-mux/1 listen\n":             "both sides listen",
		"afunix-mux/1 juggle\n":             `it says "afunix-mux/1 juggle"`,
		"afunix-mux/" + strings.Repeat("1", 1000): "it speaks version",
		"":             "has ended before it said anything",
		"afunix-mux/1": "has ended before it said anything",
		"\x00\xff\n":   `it says "\x00\xff`,
	} {
		a, b := pipes(t)
		if _, err := io.WriteString(b.out, said); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(want, "has ended") {
			b.out.Close()
		}
		within(t, func() {
			_, err := New(a.in, a.out, Listens)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v; want %s", said, err, want)
			}
		})
	}
}

// frames makes what a side sends.
func frames(f ...any) []byte {
	b := []byte(hello(Listens))
	for _, x := range f {
		switch x := x.(type) {
		case header:
			b = x.append(b)
		case string:
			b = append(b, x...)
		}
	}
	return b
}

// Nonsense ends the session, with an error that says what it was.
func TestNonsense(t *testing.T) {
	begun := header{kind: open, stream: 1}
	full := []any{begun}
	for range Window/cost(MaxPayload) + 1 {
		full = append(full, header{kind: data, length: MaxPayload, stream: 1}, strings.Repeat("x", MaxPayload))
	}
	var crowd []any
	for i := range MaxStreams + 1 {
		crowd = append(crowd, header{kind: open, stream: uint64(i + 1)})
	}
	for want, sent := range map[string][]byte{
		"a frame of kind 99":                         frames(header{kind: 99}),
		"end with a payload of 1 bytes":              frames(header{kind: end, length: 1}),
		"end with the flags 0x1":                     frames(header{kind: end, flag: true}),
		"data with a payload of 32769 bytes":         frames(header{kind: data, length: MaxPayload + 1}),
		"reset with a payload of 1025 bytes":         frames(header{kind: reset, length: maxReason + 1}),
		"data of stream 1, which was never opened":   frames(header{kind: data, stream: 1}),
		"credit of stream 0, which was never opened": frames(header{kind: credit, length: 4}, "\x00\x00\x00\x00"),
		"stream 2 is opened, and not 1":              frames(header{kind: open, stream: 2}),
		"stream 1 is opened, and not 2":              frames(begun, begun),
		"end of stream 1, which has ended before":    frames(begun, header{kind: end, stream: 1}, header{kind: end, stream: 1}),
		"data of stream 1 behind its end":            frames(begun, header{kind: end, stream: 1}, header{kind: data, stream: 1, length: 1}, "x"),
		"credit of stream 1 for more than was sent":  frames(begun, header{kind: credit, stream: 1, length: 4}, "\xff\xff\xff\xff"),
		"a part of a record on stream 1":             frames(begun, header{kind: data, stream: 1, flag: true, length: 1}, "x"),
		"more data of stream 1 than there is room":   frames(full...),
		"more than 4096 streams":                     frames(crowd...),
		"has gone":                                   frames("\x01"),
	} {
		err := play(t, sent)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
		if want != "has gone" && !errors.Is(err, ErrProtocol) {
			t.Errorf("%v is no ErrProtocol", err)
		}
	}
}

// play sends these bytes to a side that dials, and returns with what error that ends.
func play(t testing.TB, sent []byte) (err error) {
	t.Helper()
	in := io.NopCloser(bytes.NewReader(sent))
	within(t, func() {
		var s *Session
		if s, err = New(in, discard{io.Discard}, Dials); err != nil {
			return
		}
		<-s.Ended()
		err = s.Err()
	})
	return err
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }

// FuzzSession sends anything to a side that accepts streams and answers on them. The side ends, and
// keeps no more of it than is bounded.
func FuzzSession(f *testing.F) {
	f.Add(frames(header{kind: open, stream: 1}, header{kind: data, stream: 1, length: 2}, "hi", header{kind: end, stream: 1}))
	f.Add(frames(header{kind: open, flag: true, stream: 1}, header{kind: data, flag: true, stream: 1, length: 2}, "hi",
		header{kind: reset, stream: 1, length: 3}, "why", header{kind: stop, stream: 1}))
	f.Add(frames(header{kind: open, stream: 1}, header{kind: stop, stream: 1}, header{kind: credit, stream: 1, length: 4}, "\x00\x00\x01\x00"))
	f.Add([]byte("afunix-mux/1 dial\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		s, err := New(io.NopCloser(bytes.NewReader(sent)), discard{io.Discard}, Dials)
		if err != nil {
			return
		}
		var streams sync.WaitGroup
		for {
			st, err := s.Accept()
			if err != nil {
				break
			}
			streams.Go(func() {
				for {
					b, _, err := st.Receive()
					if err != nil {
						break
					}
					if len(b) > MaxPayload {
						t.Errorf("%d bytes at once", len(b))
					}
					_ = st.Send(b) // fails when the other side has gone
				}
				st.Close(nil)
			})
		}
		within(t, streams.Wait)
		if err := s.Err(); err == nil {
			t.Error("it has ended without an error")
		}
	})
}

// FuzzHeader: a header that is taken is the one that was sent.
func FuzzHeader(f *testing.F) {
	f.Add(header{kind: data, flag: true, length: 7, stream: 1 << 40}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerSize {
			return
		}
		in := [headerSize]byte(b)
		h, err := parseHeader(&in)
		if err == nil && !bytes.Equal(h.append(nil), in[:]) {
			t.Errorf("%x is taken for %+v", in, h)
		}
	})
}
