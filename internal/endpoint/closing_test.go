package endpoint_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

// A held file is there until the test lets it be removed.
type heldFile struct {
	let  chan error // what comes of it
	gone chan struct{}
	err  error // what has; valid once it is gone
}

// holdFile gives s a socket file. Like that of any source it is removed once. (A sync.Once would
// not do: in a bubble, to wait for a mutex is not to wait.)
func holdFile(s *fakeSource) *heldFile {
	f := &heldFile{let: make(chan error, 1), gone: make(chan struct{})}
	s.file = func() error {
		select {
		case f.err = <-f.let:
			close(f.gone)
		case <-f.gone:
		}
		return f.err
	}
	return f
}

// after returns the error of call, and fails if the file is there when that is net.ErrClosed.
func (f *heldFile) after(t *testing.T, call func() error) func() (int, error) {
	return func() (int, error) {
		err := call()
		select {
		case <-f.gone:
		default:
			if errors.Is(err, net.ErrClosed) {
				t.Error("the listener is closed, and its file is there")
			}
		}
		return 0, err
	}
}

// Whoever learns that a listener is closed finds no file any more. Until the file has gone the
// listener is what it was: it lets clients in, and has a deadline.
func TestTheSocketFileGoesBeforeAnybodyLearnsOfClose(t *testing.T) {
	for _, failure := range []error{nil, syscall.EBUSY} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, sock.Stream)
			defer r.end()
			file := holdFile(r.source)
			accept := file.after(t, func() error {
				c, err := r.listener.Accept()
				if err == nil {
					c.Close()
				}
				return err
			})
			var accepts []<-chan outcome
			for range 20 {
				accepts = append(accepts, start(accept))
			}
			closes := []<-chan outcome{start(file.after(t, r.listener.Close))}
			r.pending(closes[0], "a Close whose file is there")
			closes = append(closes, start(file.after(t, r.listener.Close)))
			r.pending(closes[1], "a second Close")
			for _, done := range accepts {
				r.pending(done, "Accept")
			}
			if err := r.listener.SetDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Errorf("SetDeadline: %v", err)
			}
			c, err := r.dial(sock.Stream)
			if err != nil {
				t.Fatalf("dial: %v", err)
			}
			defer c.Close()
			synctest.Wait()
			file.let <- failure
			if got := count(t, accepts, nil); got != 1 {
				t.Errorf("%d calls of Accept have returned a client, want 1", got)
			}
			if got := count(t, closes, failure); got != 1 {
				t.Errorf("%d calls of Close have returned %v, want 1", got, failure)
			}
		})
	}
}

// count returns how many outcomes are of this error. All others have to be net.ErrClosed.
func count(t *testing.T, outcomes []<-chan outcome, want error) (n int) {
	t.Helper()
	for _, done := range outcomes {
		switch o := <-done; o.err {
		case want:
			n++
		case net.ErrClosed:
		default:
			t.Errorf("%v, want net.ErrClosed", o.err)
		}
	}
	return n
}

// A slowSource has to be let before it removes its file, and before it begins to move.
type slowSource struct {
	pipe.Source
	unlink, suspend *barrier
	failure         error // of Suspend
	closed          chan struct{}
}

func (s *slowSource) Close() error {
	defer close(s.closed)
	return s.Source.Close()
}

func (s *slowSource) Unlink() error {
	s.unlink.pass()
	return s.Source.Unlink()
}

func (s *slowSource) Suspend() ([]uintptr, []byte, error) {
	s.suspend.pass()
	if s.failure != nil {
		return nil, nil, s.failure
	}
	return s.Source.Suspend()
}

// A barrier holds up calls until it is lifted.
type barrier struct {
	reached chan struct{}
	lifted  chan struct{}
	lift    func()
}

// newBarrier returns one that is lifted at the end of the test.
func newBarrier(t *testing.T) *barrier {
	b := &barrier{reached: make(chan struct{}, 99), lifted: make(chan struct{})}
	b.lift = sync.OnceFunc(func() { close(b.lifted) })
	t.Cleanup(b.lift)
	return b
}

func (b *barrier) pass() {
	b.reached <- struct{}{}
	<-b.lifted
}

// await waits until another call is held up.
func (b *barrier) await(t *testing.T, what string) {
	t.Helper()
	select {
	case <-b.reached:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s has not come so far", what)
	}
}

// slowly returns a listener whose source is slow, and its socket file.
func slowly(t *testing.T, cfg endpoint.Config) (*endpoint.Listener, string, *slowSource) {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "s")
	source, err := newSource(path, cfg.Type)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no message pipe on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowSource{Source: source, closed: make(chan struct{})}
	l := endpoint.Listen(slow, cfg, 0)
	t.Cleanup(func() { l.Close() })
	slow.unlink, slow.suspend = newBarrier(t), newBarrier(t) // lifted before Close
	return l, path, slow
}

// A call is under way on another goroutine.
type call struct {
	what string
	done chan error
}

// begin calls f, and fails if that says that the listener is closed whose socket file is there.
func begin(t *testing.T, what, path string, f func() error) call {
	c := call{what, make(chan error, 1)}
	go func() {
		err := f()
		if _, there := os.Lstat(path); errors.Is(err, net.ErrClosed) && !errors.Is(there, fs.ErrNotExist) {
			t.Errorf("%s: %v, and the file is there: %v", what, err, there)
		}
		c.done <- err
	}()
	return c
}

// waits fails if the call has ended.
func (c call) waits(t *testing.T) {
	t.Helper()
	select {
	case err := <-c.done:
		t.Fatalf("%s has returned: %v", c.what, err)
	default:
	}
}

// ends returns the error of the call, which has to end soon.
func (c call) ends(t *testing.T) error {
	t.Helper()
	select {
	case err := <-c.done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatalf("%s is stuck", c.what)
		return nil
	}
}

// acceptMany calls Accept on several goroutines.
func acceptMany(t *testing.T, l *endpoint.Listener, path string) (calls []call) {
	for range 20 {
		calls = append(calls, begin(t, "Accept", path, func() error { _, err := l.Accept(); return err }))
	}
	return calls
}

func allClosed(t *testing.T, calls []call) {
	t.Helper()
	for _, c := range calls {
		if err := c.ends(t); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v, want net.ErrClosed", c.what, err)
		}
	}
}

// The same with a real source, whose file is one.
func TestTheSocketFileIsNoMoreWhenAcceptReturns(t *testing.T) {
	l, path, slow := slowly(t, endpoint.Config{Type: sock.Stream})
	accepts := acceptMany(t, l, path)
	var closes []call
	for range 2 {
		closes = append(closes, begin(t, "Close", path, l.Close))
		slow.unlink.await(t, "Close")
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal("the file is gone before its time:", err)
	}
	for _, c := range append(accepts, closes...) {
		c.waits(t)
	}
	slow.unlink.lift()
	allClosed(t, accepts)
	first, second := closes[0].ends(t), closes[1].ends(t)
	if (first == nil) == (second == nil) {
		t.Errorf("two calls of Close: %v, and %v", first, second)
	}
}
