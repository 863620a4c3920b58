package rights_test

import (
	"errors"
	"syscall"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/wire"
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
	o.Add(w.files[0])
	o.AddEnd(0, descriptor.Unix)
	o.AddEnd(0, descriptor.Unix)
	if err := o.Look(); err != nil {
		t.Fatal(err)
	}
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

// P7: ends that lie are refused before anything is made of them, and nothing is left of what was
// pulled.
func TestP7EndsThatLie(t *testing.T) {
	unix, listener := uint8(descriptor.Unix), uint8(descriptor.UnixListener)
	for _, tt := range []struct {
		name string
		way  rights.Route
		make func(w *world) wire.Record
	}{
		{"an end of a kind that has none", pulled, func(w *world) wire.Record {
			return wire.Record{Kind: uint8(descriptor.File), Owner: wire.End, Value: uint64(w.files[0])}
		}},
		{"an end that is a file", pulled, func(w *world) wire.Record {
			return wire.Record{Kind: unix, Owner: wire.End, Value: uint64(w.files[0])}
		}},
		{"an end that is not open", pulled, func(*world) wire.Record {
			return wire.Record{Kind: listener, Owner: wire.End, Value: 0x7ffc}
		}},
		{"an end that is a file of ours", pushed, func(w *world) wire.Record {
			return wire.Record{Kind: unix, Owner: wire.End, Value: uint64(w.own[0])}
		}},
		{"an end, where nobody can duplicate", nobody, func(w *world) wire.Record {
			return wire.Record{Kind: unix, Owner: wire.End, Value: uint64(w.files[1])}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(setting{"", tt.way, false, []descriptor.Kind{descriptor.File, descriptor.EndKind(descriptor.Unix)}})
			r := tt.make(w)
			set, err := rights.Adopt(w.receiver, w.toSender, w.route, r.Append(nil), 1, func(uintptr, descriptor.Kind) (descriptor.End, error) {
				t.Error("it was opened")
				return nil, errInjected
			})
			if set != nil || !errors.Is(err, rights.ErrRecord) {
				t.Errorf("%v, want ErrRecord", err)
			}
			w.clean(t, 0)
			if v, err := rights.AdoptPart(w.receiver, w.toSender, w.route, r); v != 0 || !errors.Is(err, rights.ErrRecord) {
				t.Errorf("as a part: %#x, %v; want ErrRecord", v, err)
			}
			w.clean(t, 0)
			for _, v := range w.own {
				if w.receiver.Refers(v) == nil {
					t.Error("a descriptor of the receiver's own was closed")
				}
			}
		})
	}
}

// A part of an end is its descriptor, and the errors are those of a message.
func TestPartsOfAnEnd(t *testing.T) {
	for name, route := range map[string]rights.Route{"pull": pulled, "push": pushed} {
		t.Run(name, func(t *testing.T) {
			w, o, block := withEnds(t, route)
			_, rest, err := wire.ParseRecord(block)
			if err != nil {
				t.Fatal(err)
			}
			r, _, err := wire.ParseRecord(rest)
			if err != nil {
				t.Fatal(err)
			}
			v, err := rights.AdoptPart(w.receiver, w.toSender, route, r)
			if err != nil || w.receiver.Refers(v) != w.sender.Refers(w.files[1]) {
				t.Fatalf("%#x, %v", v, err)
			}
			w.receiver.Close(v, descriptor.EndKind(descriptor.Unix))
			rights.Discard(w.receiver, w.toSender, route, block, 1) // the file
			o.Release()
			w.clean(t, 0)
		})
	}
	w, o, block := withEnds(t, pulled)
	_, rest, _ := wire.ParseRecord(block)
	r, _, _ := wire.ParseRecord(rest)
	w.receiver.Limit(len(w.own))
	if _, err := rights.AdoptPart(w.receiver, w.toSender, pulled, r); err != descriptor.ErrRightsTruncated {
		t.Errorf("no room: %v", err)
	}
	o.Release()
	w.clean(t, 0)
	w.sender.Kill()
	w.receiver.Limit(len(w.own) + 1)
	if _, err := rights.AdoptPart(w.receiver, w.toSender, pulled, r); err != syscall.ESRCH {
		t.Errorf("its sender is gone: %v", err)
	}
}
