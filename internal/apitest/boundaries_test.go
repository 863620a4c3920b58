package apitest

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// A piece is what one call sends, or receives: data and a number of descriptors.
type piece struct {
	data   string
	rights int
}

// Rows 21, 26, 27, 134: how a stream's pieces are cut when they are received into a buffer of some
// size.
func TestRightsDivideAStream(t *testing.T) {
	tests := []struct {
		name    string
		sent    []piece
		buffer  int
		receive []piece
	}{
		{"plain pieces merge", []piece{{"12", 0}, {"34", 0}}, 3, []piece{{"123", 0}, {"4", 0}}},
		{"plain data before is merged, a read stops after", []piece{{"1234", 0}, {"5", 1}, {"6789", 0}}, 20, []piece{{"12345", 1}, {"6789", 0}}},
		{"plain data after waits", []piece{{"12", 1}, {"34", 0}}, 20, []piece{{"12", 1}, {"34", 0}}},
		{"two with rights", []piece{{"12", 1}, {"34", 2}}, 20, []piece{{"12", 1}, {"34", 2}}},
		{"rights belong to their own bytes", []piece{{"1234", 0}, {"56", 1}}, 4, []piece{{"1234", 0}, {"56", 1}}},
		{"rights come with the first byte", []piece{{"1234", 2}}, 1, []piece{{"1", 2}, {"2", 0}, {"3", 0}, {"4", 0}}},
	}
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		f := testenv.TempFile(t, "")
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				a, b := pair(t, tr, network)
				for _, p := range test.sent {
					mustWriteMsg(t, a, p.data, []afunix.Sendable{f, f}[:p.rights]...)
				}
				for _, p := range test.receive {
					expectPiece(t, b, p, test.buffer)
				}
			})
		}
	})
}

// expectPiece receives p into a buffer that may be larger. Over pipes plain data may arrive in
// several parts, as on any stream; but nothing of what comes after p may come with it.
func expectPiece(t *testing.T, c *afunix.Conn, p piece, buffer int) {
	t.Helper()
	var got piece
	for parts := 0; len(got.data) < len(p.data); parts++ {
		if parts > 0 && c.Transport() == afunix.KernelTransport {
			t.Fatalf("received %v only; want %v at once", got, p)
		}
		m, err := c.ReadMsg(make([]byte, buffer-len(got.data)))
		if err != nil {
			t.Fatal(err)
		}
		got.data += string(m.Data)
		got.rights += m.Rights.Len()
		m.Rights.Close()
	}
	if got != p {
		t.Fatalf("received %v; want %v", got, p)
	}
}

// Row 30.
func TestRightsAlsoDividePlainReads(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		f := testenv.TempFile(t, "")
		mustWriteMsg(t, a, "12", f)
		mustWriteMsg(t, a, "34", f)
		mustWriteMsg(t, a, "56")
		for _, want := range []string{"12", "34", "56"} {
			buf := make([]byte, 20)
			if n, err := b.Read(buf); string(buf[:n]) != want || err != nil {
				t.Errorf("read %q, %v; want %q", buf[:n], err, want)
			}
		}
	})
}

// Row 33.
func TestPeekLeavesTheMessage(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		mustWriteMsg(t, a, "12", w.W)
		mustWriteMsg(t, a, "34")
		for range 2 {
			m, err := b.PeekMsg(make([]byte, 20))
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("no peeking on this transport")
			}
			checkMsg(t, m, err, "12", 1)
			if k := m.Rights.Kind(0); k != afunix.KindPipe {
				t.Errorf("Kind = %v", k)
			}
			if err := m.Rights.Close(); err != nil {
				t.Error(err)
			}
		}
		m := mustReadMsg(t, b, "12", 1)
		mustReadMsg(t, b, "34", 0)
		m.Rights.Close()
		w.ExpectClosed(t)
	})
}

// Row 17.
func TestEmptyBuffer(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		f := testenv.TempFile(t, "")
		mustWriteMsg(t, a, "1", f)
		m, err := b.ReadMsg(nil)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("not on this system")
		}
		checkMsg(t, m, err, "", 1)
		if m.Truncated != (network != "unix") {
			t.Errorf("Truncated = %v", m.Truncated)
		}
		mustWriteMsg(t, a, "2")
		if network == "unix" {
			expectPiece(t, b, piece{"12", 0}, 20) // the byte stayed, its descriptor did not
		} else {
			mustReadMsg(t, b, "2", 0) // the record is gone
		}
	})
}

// Rows 125, 171, 182: a record without data is a record, also with descriptors.
func TestEmptyRecord(t *testing.T) {
	eachPassing(t, records, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		n, err := a.WriteMsg(nil, testenv.TempFile(t, ""))
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("not on this system")
		}
		if n != 0 || err != nil {
			t.Fatalf("WriteMsg = %d, %v", n, err)
		}
		mustWriteMsg(t, a, "next")
		mustReadMsg(t, b, "", 1)
		mustReadMsg(t, b, "next", 0)
		if network == "unixgram" {
			mustWriteMsg(t, a, "")
			mustReadMsg(t, b, "", 0)
		}
	})
}

// Row 171.
func TestLongRecordIsTruncated(t *testing.T) {
	eachPassing(t, records, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		mustWriteMsg(t, a, "1234", testenv.TempFile(t, ""))
		mustWriteMsg(t, a, "56")
		m, err := b.ReadMsg(make([]byte, 3))
		checkMsg(t, m, err, "123", 1)
		if !m.Truncated {
			t.Error("not Truncated")
		}
		if m := mustReadMsg(t, b, "56", 0); m.Truncated {
			t.Error("Truncated")
		}
	})
}

// Rows 24, 49.
func TestRecordThatIsTooLong(t *testing.T) {
	eachPassing(t, records, func(t *testing.T, tr afunix.Transport, network string) {
		a, _ := pair(t, tr, network)
		w := testenv.NewWitness(t)
		if n, err := a.WriteMsg(make([]byte, 8<<20), w.W); n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("WriteMsg = %d, %v; want EMSGSIZE", n, err)
		}
		w.ExpectClosed(t)
	})
}

// A stream takes as much as there is room for; the files come with the first byte, and nothing
// comes in between.
func TestLongMessagesOfTwoWritersStayWhole(t *testing.T) {
	eachPassing(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		a, b := pair(t, tr, network)
		const size = 1 << 20
		f := testenv.TempFile(t, "")
		for _, c := range []string{"a", "b"} {
			go func() {
				data := bytes.Repeat([]byte(c), size)
				if n, err := a.WriteMsg(data, f); n != size || err != nil {
					t.Errorf("WriteMsg = %d, %v", n, err)
				}
			}()
		}
		var got []byte
		rights := map[int]int{} // how many came, by where in the stream
		buf := make([]byte, 100_000)
		for len(got) < 2*size {
			m, err := b.ReadMsg(buf)
			if err != nil {
				t.Fatal(err)
			}
			if m.Rights.Len() > 0 {
				rights[len(got)+len(m.Data)-1]++ // a plain piece may come before: row 26
				m.Rights.Close()
			}
			got = append(got, m.Data...)
		}
		for i := range 2 {
			if half := got[i*size : (i+1)*size]; !bytes.Equal(half, bytes.Repeat(half[:1], size)) {
				t.Error("the messages are mixed")
			}
		}
		if len(rights) != 2 {
			t.Errorf("descriptors came %v; want once for each message", rights)
		}
	})
}
