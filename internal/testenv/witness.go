package testenv

import (
	"io"
	"os"
	"testing"
	"time"
)

// A Witness is a pipe whose reading end tells when the last copy of its writing end is closed.
type Witness struct{ R, W *os.File } // the reading end, and this process's own writing end

// NewWitness returns a Witness. Its ends are closed when the test ends.
func NewWitness(t testing.TB) Witness {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return Witness{r, w}
}

// ExpectClosed closes this process's own writing end, and fails the test if another stays open.
func (w Witness) ExpectClosed(t testing.TB) {
	t.Helper()
	w.W.Close()
	closed := make(chan error, 1)
	go func() {
		_, err := w.R.Read(make([]byte, 1))
		closed <- err
	}()
	select {
	case err := <-closed:
		if err != io.EOF {
			t.Fatalf("the reading end: %v; want EOF", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a copy of the descriptor is still open")
	}
}
