package descriptor_test

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"afunix/internal/descriptor"
	"afunix/internal/simproc"
)

// mate is an end, and counts what is done to it.
type mate struct{ taken, closed int }

func (m *mate) Taken()       { m.taken++ }
func (m *mate) Close() error { m.closed++; return nil }

// An owned is a descriptor of a set, and who has it.
type owned struct {
	value uintptr
	kind  descriptor.Kind
	end   *mate // nil for a descriptor
	taken bool
}

var errNo = errors.New("no")

// Whatever is done with a set, in whatever order: each of its descriptors is closed once, by the
// set or by the code that took it, and the code that has it is told so.
func TestASetOwnsEachDescriptorOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := simproc.New("owner")
		s := descriptor.NewSet(table, rapid.IntRange(0, 3).Draw(t, "room"))
		var all []*owned
		for range rapid.IntRange(0, 5).Draw(t, "descriptors") {
			o := &owned{kind: descriptor.Kind(rapid.IntRange(0, int(descriptor.Terminal)).Draw(t, "kind"))}
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				o.value = table.Open(o.kind)
				s.Add(o.value, o.kind)
			case 1:
				o.value = table.Open(o.kind)
				s.AddUnnamed(o.value)
			case 2:
				o.kind, o.end = descriptor.Unix, new(mate)
				s.AddEnd(o.end, o.kind)
			}
			all = append(all, o)
		}
		closed := false
		gone := func(o *owned) bool { return o.taken || closed }
		index := rapid.IntRange(-1, len(all))
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				i := index.Draw(t, "index")
				v, k, err := s.Take(i)
				switch {
				case i < 0 || i >= len(all):
					if err != syscall.EINVAL {
						t.Fatal(err)
					}
				case gone(all[i]):
					if err != os.ErrClosed {
						t.Fatal(err)
					}
				case all[i].end != nil:
					if err != descriptor.ErrEnd {
						t.Fatal(err)
					}
				default:
					if err != nil || v != all[i].value || k != all[i].kind {
						t.Fatalf("took %#x of kind %d, %v; want %#x of kind %d", v, k, err, all[i].value, all[i].kind)
					}
					all[i].taken = true
					table.Close(v, k)
				}
			},
			"give": func(t *rapid.T) {
				i, refuse := index.Draw(t, "index"), rapid.Bool().Draw(t, "refuse")
				shown := false
				err := s.Give(i, func(v uintptr, k descriptor.Kind, e descriptor.End) error {
					shown = true
					if o := all[i]; v != o.value || k != o.kind || (e == nil) != (o.end == nil) {
						t.Fatalf("shown %#x of kind %d, %v", v, k, e)
					}
					if refuse {
						return errNo
					}
					return nil
				})
				switch {
				case i < 0 || i >= len(all):
					if err != syscall.EINVAL || shown {
						t.Fatal(err)
					}
				case gone(all[i]):
					if err != os.ErrClosed || shown {
						t.Fatal(err)
					}
				case refuse:
					if err != errNo {
						t.Fatal(err)
					}
				default:
					if err != nil {
						t.Fatal(err)
					}
					if all[i].taken = true; all[i].end != nil {
						all[i].end.Close()
					} else {
						table.Close(all[i].value, all[i].kind)
					}
				}
			},
			"look": func(t *rapid.T) {
				for i, o := range all {
					if gone(o) {
						continue
					}
					v, k, e := s.Borrow(i)
					if v != o.value || k != o.kind || s.Kind(i) != o.kind || (e == nil) != (o.end == nil) {
						t.Fatalf("descriptor %d is %#x of kind %d, %v", i, v, k, e)
					}
				}
			},
			"duplicate": func(t *rapid.T) {
				if slices.ContainsFunc(all, func(o *owned) bool { return gone(o) && o.end == nil }) {
					t.Skip("only what is still here is duplicated")
				}
				d, err := s.Dup()
				if err != nil || d.Len() != len(all) {
					t.Fatalf("%d duplicates, %v", d.Len(), err)
				}
				d.Close()
			},
			"close": func(*rapid.T) {
				closed = true
				s.Close()
			},
			"": func(t *rapid.T) {
				if s.Len() != len(all) {
					t.Fatalf("%d descriptors, want %d", s.Len(), len(all))
				}
				for _, o := range all {
					if open := table.Refers(o.value) != nil; o.end == nil && open == gone(o) {
						t.Fatalf("%#x is open: %t", o.value, open)
					}
				}
			},
		})
		s.Close()
		for i, o := range all {
			if o.end != nil && o.end.closed != 1 {
				t.Fatalf("end %d was closed %d times", i, o.end.closed)
			}
		}
		if faults := table.Faults(); len(faults) > 0 || table.Len() > 0 {
			t.Fatalf("%d are left; %v", table.Len(), faults)
		}
	})
}

// What there is no room to duplicate is not duplicated in part.
func TestDuplicatesOfASetAreAllOrNone(t *testing.T) {
	for room := range 3 {
		table := simproc.New("owner")
		s := descriptor.NewSet(table, 3)
		for range 3 {
			s.Add(table.Open(descriptor.File), descriptor.File)
		}
		table.Limit(3 + room)
		if d, err := s.Dup(); d != nil || err != syscall.EMFILE {
			t.Errorf("room for %d: %v", room, err)
		}
		if table.Len() != 3 {
			t.Errorf("room for %d: %d are open", room, table.Len())
		}
		s.Close()
		if faults := table.Faults(); len(faults) > 0 || table.Len() > 0 {
			t.Errorf("%d are left; %v", table.Len(), faults)
		}
	}
}

// Kind asks the system once, and of a descriptor that cannot be asked says Other.
func TestKindOfAnUnnamedDescriptorIsAskedOnce(t *testing.T) {
	table := simproc.New("owner")
	asked := 0
	table.Inject(func(op simproc.Op) error {
		if asked++; asked > 1 {
			return syscall.EIO
		}
		return nil
	})
	s := descriptor.NewSet(table, 2)
	s.AddUnnamed(table.Open(descriptor.Event))
	for range 2 {
		if k := s.Kind(0); k != descriptor.Event || asked != 1 {
			t.Errorf("kind %d, asked %d times", k, asked)
		}
	}
	s.AddUnnamed(0x7ffc)
	if k := s.Kind(1); k != descriptor.Other {
		t.Errorf("kind %d of what is not open", k)
	}
	if _, _, err := s.Take(1); err != nil {
		t.Error(err)
	}
	s.Close()
	if table.Len() != 0 {
		t.Errorf("%d are left", table.Len())
	}
}

// announced is a table that says what is closed.
type announced struct {
	*simproc.Process
	closed chan uintptr
}

func (a announced) Close(v uintptr, k descriptor.Kind) error {
	err := a.Process.Close(v, k)
	a.closed <- v
	return err
}

func TestASetThatIsDroppedIsClosed(t *testing.T) {
	table := announced{simproc.New("owner"), make(chan uintptr, 1)}
	v := table.Open(descriptor.File)
	descriptor.NewSet(table, 1).Add(v, descriptor.File)
	for deadline := time.After(10 * time.Second); ; {
		runtime.GC()
		select {
		case got := <-table.closed:
			if got != v {
				t.Errorf("%#x was closed, want %#x", got, v)
			}
			return
		case <-deadline:
			t.Fatal("it is open still")
		default:
		}
	}
}

// No set is a set of nothing: a message without descriptors has it.
func TestNoSet(t *testing.T) {
	var s *descriptor.Set
	_, _, err := s.Take(0)
	if s.Len() != 0 || s.Close() != nil || s.Ends() != nil || err != syscall.EINVAL || s.Give(0, nil) != syscall.EINVAL {
		t.Error("no set has something")
	}
}

func TestKinds(t *testing.T) {
	sockets := []descriptor.Kind{descriptor.Stream, descriptor.Listener, descriptor.Datagram, descriptor.Unix, descriptor.UnixListener}
	for k := range descriptor.Kind(255) {
		if got, want := k.Valid(), k <= descriptor.Terminal; got != want {
			t.Errorf("kind %d: valid is %t", k, got)
		}
		if got, want := k.Socket(), slices.Contains(sockets, k); got != want {
			t.Errorf("kind %d: a socket is %t", k, got)
		}
	}
}

func TestIndexErrorSaysWhichAndWhy(t *testing.T) {
	err := error(&descriptor.IndexError{Index: 7, Err: syscall.EBADF})
	if !errors.Is(err, syscall.EBADF) || err.Error() != "descriptor 7: "+syscall.EBADF.Error() {
		t.Errorf("%v", err)
	}
}
