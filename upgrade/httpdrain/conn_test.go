package httpdrain

import (
	"bytes"
	"math/rand/v2"
	"net"
	"testing"

	"golang.org/x/net/http2"
)

// A sink is a connection that keeps what is written to it.
type sink struct {
	net.Conn
	written bytes.Buffer
}

func (s *sink) Write(b []byte) (int, error) { return s.written.Write(b) }

// However a server's frames are cut into pieces, and whenever something is to be said, that comes
// between two of them, once, and not before the first.
func TestWhatIsDueComesBetweenTwoFrames(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		var frames bytes.Buffer
		fr := http2.NewFramer(&frames, nil)
		fr.WriteSettings()
		for range 1 + r.IntN(5) {
			fr.WriteData(1, false, make([]byte, r.IntN(40)))
		}
		out := new(sink)
		c := &conn{Conn: out, known: true}
		at := r.IntN(frames.Len())
		for text := frames.Bytes(); len(text) > 0; {
			n := 1 + r.IntN(len(text))
			if left := frames.Len() - at; len(text) >= left && len(text)-n < left {
				c.announce()
			}
			if got, err := c.Write(text[:n]); got != n || err != nil {
				t.Fatalf("Write: %d of %d, %v", got, n, err)
			}
			text = text[n:]
		}
		expectOnceBetween(t, seed, out.written.Bytes(), frames.Bytes())
	}
}

func expectOnceBetween(t *testing.T, seed uint64, written, frames []byte) {
	t.Helper()
	announcement := append(goAway(anyStream), short(typePing, 0, heard)...)
	before, after, found := bytes.Cut(written, announcement)
	if !found || !bytes.Equal(append(bytes.Clone(before), after...), frames) {
		t.Fatalf("seed %d: %x was written, with %x to be said", seed, written, announcement)
	}
	if len(before) == 0 || !wholeFrames(before) {
		t.Fatalf("seed %d: it comes behind %x", seed, before)
	}
}

func wholeFrames(b []byte) bool {
	for len(b) >= headLen && len(b) >= headLen+payloadLen(b) {
		b = b[headLen+payloadLen(b):]
	}
	return len(b) == 0
}

// A server that ends a connection itself has said which requests it will answer; nobody may say
// after that that it is all of them.
func TestNothingIsSaidAfterTheServersOwnEnd(t *testing.T) {
	var frames bytes.Buffer
	fr := http2.NewFramer(&frames, nil)
	fr.WriteSettings()
	fr.WriteGoAway(3, http2.ErrCodeNo, nil)
	out := new(sink)
	c := &conn{Conn: out, known: true}
	c.Write(frames.Bytes())
	c.announce()
	if !bytes.Equal(out.written.Bytes(), frames.Bytes()) {
		t.Errorf("%x was written", out.written.Bytes())
	}
}
