package rights_test

import (
	"errors"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
)

// An end is one that closes its descriptor, if it has one.
type end struct {
	w *world
	v uintptr
	k descriptor.Kind
}

func (*end) Taken() {}

func (e *end) Close() error {
	if e.v == 0 {
		return nil
	}
	return e.w.receiver.Close(e.v, descriptor.EndKind(e.k))
}

// withEnds is a message of a file, an end with a descriptor, and one without.
func withEnds(t *testing.T, route rights.Route) (w *world, o *rights.Outgoing, block []byte) {
	t.Helper()
	w = newWorld(setting{"", route, false, []descriptor.Kind{descriptor.File, descriptor.EndKind(descriptor.Unix)}})
	o = rights.NewOutgoing(w.sender, w.toReceiver, route, 3)
	if err := o.Add(w.files[0]); err != nil {
		t.Fatal(err)
	}
	o.AddEnd(0, descriptor.Unix)
	o.AddEnd(0, descriptor.Unix)
	o.SetEnd(1, w.files[1])
	if err := o.Duplicate(); err != nil {
		t.Fatal(err)
	}
	block, err := o.Records()
	if err != nil {
		t.Fatal(err)
	}
	return w, o, block
}

// Ends come out in their places, and whatever becomes of them, nothing is left behind.
func TestEndsArriveAsTheyWere(t *testing.T) {
	for name, route := range map[string]rights.Route{"pull": pulled, "push": pushed} {
		t.Run(name, func(t *testing.T) {
			w, o, block := withEnds(t, route)
			var opened []*end
			set, err := rights.Adopt(w.receiver, w.toSender, route, block, 3, func(v uintptr, k descriptor.Kind) (descriptor.End, error) {
				e := &end{w, v, k}
				opened = append(opened, e)
				return e, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(opened) != 2 || opened[1].v != 0 || w.receiver.Refers(opened[0].v) != w.sender.Refers(w.files[1]) {
				t.Errorf("opened %+v", opened)
			}
			for i, want := range []error{nil, descriptor.ErrEnd, descriptor.ErrEnd} {
				v, k, err := set.Take(i)
				if !errors.Is(err, want) {
					t.Errorf("take %d: %v, want %v", i, err, want)
				}
				if err == nil {
					w.receiver.Close(v, k)
				}
			}
			o.Release()
			set.Close()
			w.clean(t, 0)
		})
	}
}

func TestAnEndThatCannotBeOpenedIsTheWholeMessages(t *testing.T) {
	for name, route := range map[string]rights.Route{"pull": pulled, "push": pushed} {
		t.Run(name, func(t *testing.T) {
			w, o, block := withEnds(t, route)
			set, err := rights.Adopt(w.receiver, w.toSender, route, block, 3, func(v uintptr, k descriptor.Kind) (descriptor.End, error) {
				(&end{w, v, k}).Close() // it owns v
				return nil, errInjected
			})
			if set != nil || !errors.Is(err, errInjected) || !errors.Is(err, rights.ErrRecord) {
				t.Errorf("%v, %v", set, err)
			}
			o.Release()
			w.clean(t, 0)
		})
	}
}

// P4: what was not written is taken back, and what will not be read is closed.
func TestEndsThatAreTakenBackOrDiscarded(t *testing.T) {
	for name, route := range map[string]rights.Route{"pull": pulled, "push": pushed} {
		t.Run(name, func(t *testing.T) {
			w, o, _ := withEnds(t, route)
			o.TakeBack()
			w.clean(t, 0)

			w, o, block := withEnds(t, route)
			rights.Discard(w.receiver, w.toSender, route, block, 3)
			o.Decline()
			w.clean(t, 0)
		})
	}
}
