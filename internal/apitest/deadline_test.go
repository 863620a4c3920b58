package apitest

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// Row 193, for every call that can wait.
func TestDeadlineAndCloseEndEveryWait(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		buf := make([]byte, 10)
		full := make([]byte, 100_000)
		waits := map[string]func(c *afunix.Conn) error{
			"Read":     func(c *afunix.Conn) error { return second(c.Read(buf)) },
			"ReadMsg":  func(c *afunix.Conn) error { return second(c.ReadMsg(buf)) },
			"ReadFrom": func(c *afunix.Conn) error { _, _, err := c.ReadFrom(buf); return err },
			"Write": func(c *afunix.Conn) (err error) {
				for err == nil {
					_, err = c.Write(full)
				}
				return err
			},
			"WriteMsg": func(c *afunix.Conn) (err error) {
				for err == nil {
					_, err = c.WriteMsg(full)
				}
				return err
			},
		}
		for name, wait := range waits {
			a, _ := pair(t, tr, network)
			a.SetDeadline(time.Now().Add(10 * time.Millisecond))
			err := wait(a)
			var timeout net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%s after the deadline: %v", name, err)
			}
			a.SetDeadline(time.Time{})
			expectCloseWakes(t, a.Close, func() error { return wait(a) })
		}
	})
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		l := listen(t, tr, network, socketPath(t))
		l.SetDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Accept after the deadline: %v", err)
		}
		l.SetDeadline(time.Time{})
		expectCloseWakes(t, l.Close, func() error { return second(l.Accept()) })
	})
}

// expectCloseWakes calls blocked, and sees it return net.ErrClosed after stop. That it was already
// waiting then is likely, but what it must return is the same.
func expectCloseWakes(t *testing.T, stop func() error, blocked func() error) {
	t.Helper()
	result := make(chan error, 1)
	started := make(chan struct{})
	go func() { close(started); result <- blocked() }()
	<-started
	runtime.Gosched()
	if err := stop(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-result:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("woken with %v; want net.ErrClosed", err)
		}
	case <-time.After(patience):
		t.Fatal("Close woke nobody")
	}
}

func TestWriteMsgBlocksUntilItsDeadline(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.KernelTransport {
			t.Skip("over pipes such a message is on its way as a whole")
		}
		a, b := pair(t, tr, network)
		w := testenv.NewWitness(t)
		data := make([]byte, 8<<20) // more than there is room for
		type result struct {
			n   int
			err error
		}
		written := make(chan result, 1)
		go func() {
			n, err := a.WriteMsg(data, w.W)
			written <- result{n, err}
		}()
		peeked, err := b.PeekMsg(make([]byte, 1))
		if err != nil { // else a part of it has been written
			t.Fatal(err)
		}
		peeked.Rights.Close()
		a.SetWriteDeadline(time.Now())
		r := <-written
		n := r.n
		if !errors.Is(r.err, os.ErrDeadlineExceeded) || n == 0 || n == len(data) {
			t.Fatalf("WriteMsg = %d, %v; want a part of it, and the deadline", n, r.err)
		}
		a.Close()
		m, err := b.ReadMsg(make([]byte, n+1))
		total := len(m.Data)
		if m.Rights.Len() != 1 || err != nil {
			t.Fatalf("%d descriptors, %v", m.Rights.Len(), err)
		}
		m.Rights.Close()
		for err == nil {
			m, err = b.ReadMsg(make([]byte, n+1))
			total += len(m.Data)
		}
		if total != n || err != io.EOF {
			t.Errorf("received %d, %v; want the %d that were reported", total, err, n)
		}
	})
}

func TestEmptyReadAfterDeadline(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		_, b := pair(t, tr, network)
		b.SetReadDeadline(time.Unix(1, 0))
		if _, err := b.Read(nil); err != nil {
			t.Error(err)
		}
	})
}
