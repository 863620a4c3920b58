package mux

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
)

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
