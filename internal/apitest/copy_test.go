package apitest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// Copy copies what it should, in either direction, whatever is at the other side.
func TestCopy(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcde\n"), 1<<14)
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		for name, other := range map[string]func(*testing.T) (near, far net.Conn){"TCP": tcpPair, "afunix": func(t *testing.T) (near, far net.Conn) {
			return pair(t, tr, network)
		}} {
			t.Run(name, func(t *testing.T) {
				expectCopies(t, data, func(t *testing.T) (a, aFar, b, bFar net.Conn) {
					near, far := pair(t, tr, network)
					otherNear, otherFar := other(t)
					return near, far, otherNear, otherFar
				})
			})
		}
		t.Run("file", func(t *testing.T) {
			near, far := pair(t, tr, network)
			f, err := os.Create(filepath.Join(testenv.TempDir(t), "file"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			go func() { far.Write(data); far.Close() }()
			if n, err := afunix.Copy(f, near); n != int64(len(data)) || err != nil {
				t.Fatalf("into a file: %d, %v", n, err)
			}
			out, outFar := pair(t, tr, network)
			go func() {
				if _, err := f.Seek(0, io.SeekStart); err == nil {
					afunix.Copy(out, f)
				}
				out.Close()
			}()
			if got, err := io.ReadAll(outFar); !bytes.Equal(got, data) || err != nil {
				t.Errorf("out of a file: %d bytes, %v", len(got), err)
			}
		})
	})
}

// expectCopies copies data from one pair of connections to the other, in both directions.
func expectCopies(t *testing.T, data []byte, pairs func(*testing.T) (a, aFar, b, bFar net.Conn)) {
	for range 2 {
		a, aFar, b, bFar := pairs(t)
		go func() { aFar.Write(data); aFar.Close() }()
		go func() { afunix.Copy(b, a); b.Close() }()
		if got, err := io.ReadAll(bFar); !bytes.Equal(got, data) || err != nil {
			t.Errorf("%T to %T: %d bytes, %v", a, b, len(got), err)
		}
		former := pairs
		pairs = func(t *testing.T) (_, _, _, _ net.Conn) {
			a, aFar, b, bFar := former(t)
			return b, bFar, a, aFar
		}
	}
}

// Of a limited reader as much is copied as the limit says, and the limit says how much is left.
func TestCopyUpToALimit(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		near, far := pair(t, tr, network)
		if _, err := far.Write([]byte("0123456789")); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		r := &io.LimitedReader{R: near, N: 7}
		if n, err := afunix.Copy(&got, r); n != 7 || err != nil || got.String() != "0123456" || r.N != 0 {
			t.Errorf("copied %d, %q, %v; the limit is %d", n, &got, err, r.N)
		}
		far.Close()
		r.N = 7
		if n, err := afunix.Copy(&got, r); n != 3 || err != nil || r.N != 4 {
			t.Errorf("copied %d, %v; the limit is %d", n, err, r.N)
		}
	})
}

// The errors are those of a Read or a Write.
func TestCopyOfWhatIsClosed(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		near, _ := pair(t, tr, network)
		near.Close()
		if _, err := afunix.Copy(io.Discard, near); !errors.Is(err, net.ErrClosed) {
			t.Errorf("reading: %v", err)
		}
		if _, err := afunix.Copy(near, bytes.NewReader([]byte("x"))); !errors.Is(err, net.ErrClosed) {
			t.Errorf("writing: %v", err)
		}
	})
}
