package descriptor

import (
	"errors"
	"os"
	"testing"
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
