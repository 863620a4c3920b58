package upgrade

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// A slowCloser is closed when the test lets it be.
type slowCloser struct {
	let    chan error
	closed bool
}

func (c *slowCloser) Close() error {
	err := <-c.let
	c.closed = true
	return err
}

// A call that waits at the gate, or comes there, learns that the gate is closed when the socket is
// closed. A second close waits for the first one.
func TestTheGateIsClosedAfterItsSocket(t *testing.T) {
	for _, open := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			socket := &slowCloser{let: make(chan error, 1)}
			g := newGate(socket)
			g.open = open
			var words int
			closing := func() error { return g.close(func(*slowCloser) { words++ }) }
			done := make(chan error)
			call := func(f func() error) {
				go func() {
					err := f()
					if !socket.closed {
						t.Errorf("%v, and the socket is open", err)
					}
					done <- err
				}()
			}
			pass := func() error { _, err := g.pass(); return err }
			if !open {
				call(pass)
			}
			call(closing)
			synctest.Wait()
			call(closing)
			if !open {
				call(pass)
			}
			synctest.Wait()
			if _, err := g.get(); err != nil {
				t.Errorf("get while it is being closed: %v", err)
			}
			if _, err := g.lend(); err != net.ErrClosed {
				t.Errorf("lend while it is being closed: %v, want net.ErrClosed", err)
			}
			socket.let <- os.ErrPermission
			failed := 0
			for n := map[bool]int{false: 4, true: 2}[open]; n > 0; n-- {
				switch err := <-done; err {
				case os.ErrPermission:
					failed++
				case nil, net.ErrClosed:
				default:
					t.Error(err)
				}
			}
			if failed != 1 || words != 1 {
				t.Errorf("%d calls return the error of the socket's Close, which has had %d words; want 1 and 1", failed, words)
			}
			if err := pass(); err != net.ErrClosed {
				t.Errorf("pass: %v", err)
			}
		})
	}
}

// What comes to the gate while that is being closed is closed, too.
func TestASocketThatComesDuringCloseIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := &slowCloser{let: make(chan error, 1)}, &slowCloser{let: make(chan error, 1)}
		g := newGate(first)
		done := make(chan error)
		go func() { done <- g.close(func(*slowCloser) {}) }()
		synctest.Wait()
		if g.take() != first {
			t.Error("the gate is empty")
		}
		g.put(second)
		first.let <- net.ErrClosed // the code that has taken it has closed it
		second.let <- nil
		if err := <-done; err != nil || !second.closed {
			t.Errorf("%v; closed: %v", err, second.closed)
		}
	})
}

// Accept of a Listener that does not serve returns when the socket file has gone.
func TestTheSocketFileGoesBeforeAnybodyLearnsOfClose(t *testing.T) {
	dir := testenv.NewSlowDir(t)
	path := filepath.Join(dir.Dir, "s")
	inner, err := afunix.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l := &Listener{key: key{Network: "unix", Address: path}, addr: inner.Addr(),
		gate: newGate[net.Listener](inner), u: new(Upgrader)}
	early := make(chan struct{})
	dir.Hold(path, early)
	calls := make(chan error, 3)
	call := func(f func() error) {
		go func() {
			err := f()
			if _, there := os.Lstat(path); !errors.Is(there, os.ErrNotExist) {
				close(early)
				t.Errorf("%v, and the file: %v", err, there)
			}
			calls <- err
		}()
	}
	call(func() error {
		_, err := l.Accept()
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		return nil
	})
	call(l.Close)
	call(l.Close)
	for range cap(calls) {
		select {
		case err := <-calls:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a call is stuck")
		}
	}
}
