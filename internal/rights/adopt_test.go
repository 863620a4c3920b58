package rights_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/simproc"
	"afunix/internal/wire"
)

// P4: whichever step of adopting fails, nothing of the message is left in the receiver.
func TestP4AdoptingFailsAtEveryStep(t *testing.T) {
	causes := map[string]struct{ cause, want error }{
		"table full":      {syscall.EMFILE, descriptor.ErrRightsTruncated},
		"system full":     {syscall.ENFILE, descriptor.ErrRightsTruncated},
		"no memory":       {syscall.ENOMEM, descriptor.ErrRightsTruncated},
		"sender is gone":  {syscall.ESRCH, syscall.ESRCH},
		"whatever else":   {errInjected, rights.ErrRecord},
		"not what it was": {syscall.EPERM, rights.ErrRecord},
	}
	for _, s := range settings {
		for name, c := range causes {
			t.Run(s.name+"/"+name, func(t *testing.T) {
				for k := 0; ; k++ {
					w := newWorld(s)
					o, block, err := w.send()
					if err != nil {
						t.Fatal(err)
					}
					failed := failAt(w.receiver, k, c.cause)
					set, err := w.adopt(block)
					if failed.op == "" {
						set.Close()
						return
					}
					if set != nil || !errors.Is(err, c.want) {
						t.Errorf("step %d (%s): %v, want %v", k, failed.op, err, c.want)
					}
					o.Release()
					w.clean(t, leftByFailure(w, failed))
				}
			})
		}
	}
}

// leftByFailure is what cannot be closed: a socket that could not be imported stays where
// WSADuplicateSocket put it; and what was pushed here, but cannot be asked what it is, may be the
// receiver's own.
func leftByFailure(w *world, f *failure) int {
	pushed := w.route.Way == rights.Push && f.before != simproc.Import
	if f.op == simproc.Import || f.op == simproc.Kind && pushed {
		return 1
	}
	return 0
}

// Row 42, as the API words it: without room for all, all are closed.
func TestReceiverOutOfDescriptors(t *testing.T) {
	for _, s := range settings[:1] {
		for room := range len(s.kinds) {
			w := newWorld(s)
			o, block, err := w.send()
			if err != nil {
				t.Fatal(err)
			}
			w.receiver.Limit(len(w.own) + room)
			if _, err := w.adopt(block); err != descriptor.ErrRightsTruncated {
				t.Errorf("room for %d of %d: %v", room, len(s.kinds), err)
			}
			o.Release()
			w.clean(t, 0)
		}
	}
}

func TestSenderIsGoneBeforeThePull(t *testing.T) {
	w := newWorld(settings[0])
	_, block, err := w.send()
	if err != nil {
		t.Fatal(err)
	}
	w.sender.Kill()
	if _, err := w.adopt(block); err != syscall.ESRCH {
		t.Errorf("%v, want ESRCH", err)
	}
	if got := w.receiver.Len(); got != len(w.own) {
		t.Errorf("%d descriptors open, want %d", got, len(w.own))
	}
}

// P7: records that lie. Nothing is pulled that cannot be a descriptor, nothing is believed that was
// not agreed, and none of our own descriptors is closed on a peer's word.
func TestP7RecordsThatLie(t *testing.T) {
	const file, stream = uint8(descriptor.File), uint8(descriptor.Stream)
	type lie struct {
		name string
		way  rights.Route
		make func(w *world) wire.Record
	}
	sender := func(kind uint8, v uint64) func(*world) wire.Record {
		return func(*world) wire.Record { return wire.Record{Kind: kind, Owner: wire.Sender, Value: v} }
	}
	lies := []lie{
		{"kind that does not exist", pulledBoth, func(w *world) wire.Record {
			return wire.Record{Kind: 200, Owner: wire.Sender, Value: uint64(w.files[0])}
		}},
		{"kind that it is not", pulledBoth, func(w *world) wire.Record {
			return wire.Record{Kind: stream, Owner: wire.Sender, Value: uint64(w.files[0])}
		}},
		{"socket that is a file", pulledBoth, func(w *world) wire.Record {
			return wire.Record{Kind: file, Owner: wire.Sender, Value: uint64(w.files[2])}
		}},
		{"a descriptor that is not open", pulledBoth, sender(file, 0x7ffc)},
		{"no descriptor", pulledBoth, sender(file, 0)},
		{"an odd value", pulledBoth, func(w *world) wire.Record {
			return wire.Record{Kind: file, Owner: wire.Sender, Value: uint64(w.files[0]) | 1}
		}},
		{"a value of ours, where we pull", pulledBoth, func(w *world) wire.Record {
			return wire.Record{Kind: file, Owner: wire.Receiver, Value: uint64(w.own[0])}
		}},
		{"a value of theirs, where they push", pushed, func(w *world) wire.Record {
			return wire.Record{Kind: file, Owner: wire.Sender, Value: uint64(w.files[0])}
		}},
		{"a value of ours, of another kind", pushed, func(w *world) wire.Record {
			return wire.Record{Kind: file, Owner: wire.Receiver, Value: uint64(w.own[1])}
		}},
		{"a value that is nobody's", pushed, func(w *world) wire.Record {
			return wire.Record{Kind: file, Owner: wire.Receiver, Value: 0x7ffc}
		}},
		{"an exported file", pulledBoth, func(w *world) wire.Record {
			return wire.Record{Kind: file, Owner: wire.Exported, Extra: make([]byte, 16)}
		}},
		{"an exported socket that was not", pulledBoth, func(w *world) wire.Record {
			return wire.Record{Kind: stream, Owner: wire.Exported, Extra: make([]byte, 16)}
		}},
		{"an exported socket that is too short", pulledBoth, func(w *world) wire.Record {
			return wire.Record{Kind: stream, Owner: wire.Exported, Extra: []byte{1}}
		}},
		{"anything, where nobody can duplicate", nobody, sender(file, 0x104)},
		{"an exported socket, where that was not agreed", pulled, func(w *world) wire.Record {
			return wire.Record{Kind: stream, Owner: wire.Exported, Extra: make([]byte, 16)}
		}},
		{"an exported socket, where nobody can duplicate", nobody, func(w *world) wire.Record {
			return wire.Record{Kind: stream, Owner: wire.Exported, Extra: make([]byte, 16)}
		}},
	}
	for v := int64(-1); v >= -12; v-- { // pseudo-handles
		lies = append(lies, lie{"a pseudo-handle", pulledBoth, sender(file, uint64(v))})
	}
	for _, tt := range lies {
		for _, at := range []int{0, 1, 2} { // before, between and after good ones
			t.Run(tt.name, func(t *testing.T) {
				w := newWorld(setting{"", tt.way, true, plain[:2]})
				route := w.route
				if route == nobody {
					route = pulled
				}
				o := rights.NewOutgoing(w.sender, w.toReceiver, route, len(w.files))
				for _, v := range w.files {
					o.Add(v)
				}
				if err := o.Look(); err != nil {
					t.Fatal(err)
				}
				if err := o.Duplicate(); err != nil {
					t.Fatal(err)
				}
				w.files = append(w.files, w.sender.Open(descriptor.Stream))
				good, err := o.Records()
				if err != nil {
					t.Fatal(err)
				}
				half := len(good) / 2
				block := slices.Concat(good[:at*half], tt.make(w).Append(nil), good[at*half:])
				set, err := rights.Adopt(w.receiver, w.toSender, w.route, block, 3, nil)
				if set != nil || !errors.Is(err, rights.ErrRecord) {
					t.Fatalf("%v, want ErrRecord", err)
				}
				if w.route.Way != rights.Nobody && !strings.Contains(err.Error(), "record "+string(rune('0'+at))) {
					t.Errorf("%q does not say which record", err)
				}
				o.Release()
				w.clean(t, 0)
				for _, v := range w.own {
					if w.receiver.Refers(v) == nil {
						t.Error("a descriptor of the receiver's own was closed")
					}
				}
			})
		}
	}
}

// A block that ends too early cannot get past package wire, but would not do harm.
func TestBlockThatEndsTooEarly(t *testing.T) {
	w := newWorld(settings[1])
	o, block, err := w.send()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rights.Adopt(w.receiver, w.toSender, w.route, block[:len(block)-1], len(w.files), nil); !errors.Is(err, rights.ErrRecord) {
		t.Errorf("%v, want ErrRecord", err)
	}
	o.Release()
	w.clean(t, 1) // the last one, whose value nobody knows
	rights.Discard(w.receiver, w.toSender, w.route, nil, 3)
}

// Row 24, P3: what nobody will read is closed, wherever it is.
func TestDiscard(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(s)
			o, block, err := w.send()
			if err != nil {
				t.Fatal(err)
			}
			rights.Discard(w.receiver, w.toSender, w.route, block, o.Len())
			o.Release()
			w.clean(t, 0)
		})
	}
}

// P7: a socket that was exported is imported to be closed, also if it is another one than its
// record says.
func TestP7DiscardClosesAnExportedSocketOfAnotherKind(t *testing.T) {
	w := newWorld(setting{"", pulledBoth, true, []descriptor.Kind{descriptor.Stream}})
	o, block, err := w.send()
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := wire.ParseRecord(block)
	if err != nil || r.Owner != wire.Exported {
		t.Fatalf("%+v, %v", r, err)
	}
	r.Kind = uint8(descriptor.Datagram)
	rights.Discard(w.receiver, w.toSender, w.route, r.Append(nil), 1)
	o.Release()
	w.clean(t, 0)
}

// P7: what is to be discarded is closed only if it is what its record says.
func TestP7DiscardClosesNothingOfOurs(t *testing.T) {
	w := newWorld(settings[1])
	lie := wire.Record{Kind: uint8(descriptor.File), Owner: wire.Receiver, Value: uint64(w.own[1])}.Append(nil)
	lie = wire.Record{Kind: 99, Owner: wire.Receiver, Value: uint64(w.own[0])}.Append(lie)
	rights.Discard(w.receiver, w.toSender, pushed, lie, 2)
	rights.Discard(w.receiver, w.toSender, pulled, lie, 2)
	w.clean(t, 0)
}

// P2: what the process at the other end cannot do is EPERM.
func TestViewWithoutAbility(t *testing.T) {
	w := newWorld(settings[0])
	w.toReceiver, w.route = w.sender.View(w.receiver, pull, false), pushed
	if _, _, err := w.send(); !errors.Is(err, syscall.EPERM) {
		t.Errorf("%v, want EPERM", err)
	}
	w.clean(t, 0)
}
