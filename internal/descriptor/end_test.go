package descriptor

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
)

// fakeEnd counts what is done to it.
type fakeEnd struct{ taken, closed int }

func (e *fakeEnd) Taken()       { e.taken++ }
func (e *fakeEnd) Close() error { e.closed++; return nil }

func TestASetGivesItsEnds(t *testing.T) {
	first, second := new(fakeEnd), new(fakeEnd)
	s := NewSet(System, 2)
	s.AddEnd(first, Unix)
	s.AddEnd(second, UnixListener)
	if v, k, e := s.Borrow(1); v != 0 || k != UnixListener || e != second || len(s.Ends()) != 2 {
		t.Errorf("borrowed %d, %d, %v of %d ends", v, k, e, len(s.Ends()))
	}
	if _, _, err := s.Take(0); !errors.Is(err, ErrEnd) {
		t.Errorf("Take: %v; want ErrEnd", err)
	}
	no := errors.New("no")
	if err := s.Give(0, func(uintptr, Kind, End) error { return no }); err != no {
		t.Errorf("Give: %v", err)
	}
	d, err := s.Dup()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Give(0, func(uintptr, Kind, End) error { return nil }); err != os.ErrClosed || d.Kind(0) != Unix {
		t.Errorf("a duplicate gives an end: %v", err)
	}
	d.Close()
	var got End
	if err := s.Give(0, func(v uintptr, k Kind, e End) error { got = e; return nil }); err != nil || got != first || first.taken != 2 {
		t.Errorf("Give: %v, %v", err, got)
	}
	if err := s.Give(0, func(uintptr, Kind, End) error { return nil }); err != os.ErrClosed {
		t.Errorf("given twice: %v", err)
	}
	s.Close()
	s.Close()
	if first.closed != 0 || second.closed != 1 {
		t.Errorf("closed %d and %d times", first.closed, second.closed)
	}
	if (*Set)(nil).Ends() != nil {
		t.Error("no set has ends")
	}
}

// A slow end takes its time to close.
type slowEnd struct {
	fakeEnd
	closing chan struct{}
	finish  chan struct{}
}

func (e *slowEnd) Close() error {
	close(e.closing)
	<-e.finish
	return nil
}

// A set that is dropped is closed, and does not hold up what else the garbage collector has to do.
func TestADroppedSetHoldsUpNoFinalizer(t *testing.T) {
	e := &slowEnd{closing: make(chan struct{}), finish: make(chan struct{})}
	defer close(e.finish)
	NewSet(System, 1).AddEnd(e, Unix)
	collectUntil(t, "the set is closed", e.closing)
	collected := make(chan struct{})
	runtime.SetFinalizer(&struct{ big [64]byte }{}, func(any) { close(collected) })
	collectUntil(t, "something else is finalized", collected)
}

// collectUntil collects garbage until done is closed.
func collectUntil(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	for late := time.After(10 * time.Second); ; {
		runtime.GC()
		select {
		case <-done:
			return
		case <-late:
			t.Fatalf("not yet: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
