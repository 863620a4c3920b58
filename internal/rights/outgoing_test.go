package rights_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/simproc"
	"afunix/internal/wire"
)

func TestDescriptorsArriveAsTheyWere(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(s)
			o, block, err := w.send()
			if err != nil {
				t.Fatal(err)
			}
			if len(block) > o.MaxLen() || o.Len() != len(w.files) || len(block) > o.Len()*wire.MaxRecord {
				t.Errorf("%d records take %d bytes, MaxLen says %d", o.Len(), len(block), o.MaxLen())
			}
			set, err := w.adopt(block)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range w.files {
				got, k, err := set.Take(i)
				if err != nil || k != w.kinds[i] || w.receiver.Refers(got) != w.sender.Refers(v) {
					t.Errorf("descriptor %d came as %#x of kind %d, %v", i, got, k, err)
				}
				w.receiver.Close(got, k)
			}
			o.Release()
			o.Release() // once is enough, twice does no harm
			w.clean(t, 0)
		})
	}
}

// P3: a pushed descriptor does not need its sender any more, and a parked copy does not need the
// user's.
func TestTheUsersDescriptorsMayBeClosedAtOnce(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(s)
			o, block, err := w.send()
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range w.files {
				w.sender.Close(v, w.kinds[i])
			}
			w.files = w.files[:0]
			set, err := rights.Adopt(w.receiver, w.toSender, w.route, block, len(w.kinds), nil)
			if err != nil {
				t.Fatal(err)
			}
			o.Release()
			if err := set.Close(); err != nil {
				t.Error(err)
			}
			w.clean(t, 0)
		})
	}
}

// P4: whichever step of sending fails, nothing is left behind on either side, but for a socket that
// was exported already, which must then be reported, so that the connection ends.
func TestP4SendingFailsAtEveryStep(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			for k := 0; ; k++ {
				w := newWorld(s)
				failed := failAt(w.sender, k, errInjected)
				o, _, err := w.send()
				if failed.op == "" {
					if err != nil || k < len(w.files) {
						t.Fatal(k, err)
					}
					return
				}
				if !errors.Is(err, errInjected) {
					t.Errorf("step %d (%s): %v", k, failed.op, err)
				}
				exported := w.receiver.Len() - len(w.own)
				w.clean(t, exported)
				if exported > 0 && failed.op != simproc.Export {
					t.Errorf("step %d (%s): %d descriptors are left in the peer", k, failed.op, exported)
				}
				if o.Len() != 0 {
					t.Errorf("step %d: %d descriptors are still owned", k, o.Len())
				}
			}
		})
	}
}

// P4: sockets that cannot be taken back are exported last.
func TestP4SocketsAreExportedAfterEverythingElse(t *testing.T) {
	w := newWorld(setting{"", pushed, true, plain})
	var ops []simproc.Op
	w.sender.Inject(func(op simproc.Op) error { ops = append(ops, op); return nil })
	if _, _, err := w.send(); err != nil {
		t.Fatal(err)
	}
	first := slices.Index(ops, simproc.Export)
	for _, op := range ops[first:] {
		if op != simproc.Export {
			t.Errorf("%s after a socket was exported: %v", op, ops)
		}
	}
}

// P4: whether a message must end the connection if it cannot be written.
func TestP4ExportedSaysWhatStaysBehind(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  setting
		fail int // which export fails; -1: none
		want bool
	}{
		{"files pushed", setting{"", pushed, true, []descriptor.Kind{descriptor.File}}, -1, false},
		{"a socket pulled", setting{"", pulled, false, []descriptor.Kind{descriptor.Stream}}, -1, false},
		{"a socket exported", setting{"", pulledBoth, true, []descriptor.Kind{descriptor.File, descriptor.Stream}}, -1, true},
		{"the first of two fails", setting{"", pulledBoth, true, []descriptor.Kind{descriptor.Stream, descriptor.Stream}}, 0, false},
		{"the second of two fails", setting{"", pulledBoth, true, []descriptor.Kind{descriptor.Stream, descriptor.Stream}}, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(tt.set)
			o := rights.NewOutgoing(w.sender, w.toReceiver, w.route, len(w.files))
			for _, v := range w.files {
				o.Add(v)
			}
			if err := o.Look(); err != nil {
				t.Fatal(err)
			}
			if err := o.Duplicate(); err != nil {
				t.Fatal(err)
			}
			if o.Exported() {
				t.Error("exported before Records")
			}
			n := 0
			w.sender.Inject(func(op simproc.Op) error {
				if op == simproc.Export {
					if n++; n == tt.fail+1 {
						return syscall.EPERM
					}
				}
				return nil
			})
			o.Records()
			if got := o.Exported(); got != tt.want {
				t.Errorf("exported before TakeBack: %t, want %t", got, tt.want)
			}
			o.TakeBack()
			if got := o.Exported(); got != tt.want {
				t.Errorf("exported after TakeBack: %t, want %t: what is in the peer stays there", got, tt.want)
			}
		})
	}
}

// The owner of a socket must be able to open its receiver, whichever side was elected. If it is
// not, that is an error of the descriptor, and nothing has happened.
func TestSocketThatCannotBeExportedIsNotSendable(t *testing.T) {
	w := newWorld(setting{"", pulled, true, []descriptor.Kind{descriptor.File, descriptor.Stream}})
	if _, _, err := w.send(); !errors.Is(err, descriptor.ErrNotSendable) {
		t.Errorf("%v, want ErrNotSendable", err)
	}
	w.clean(t, 0)
}

func TestClosedDescriptorIsEBADF(t *testing.T) {
	for _, s := range settings {
		w := newWorld(s)
		w.sender.Close(w.files[2], w.kinds[2])
		_, _, err := w.send()
		if !errors.Is(err, syscall.EBADF) {
			t.Errorf("%s: %v, want EBADF (row 10)", s.name, err)
		}
		w.files = w.files[1:]
		w.clean(t, 0)
	}
}

func TestSenderOutOfDescriptors(t *testing.T) {
	w := newWorld(settings[0])
	w.sender.Limit(len(w.files) + 2)
	if _, _, err := w.send(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("%v, want EMFILE", err)
	}
	w.clean(t, 0)
}

func TestPeerIsGoneBeforeThePush(t *testing.T) {
	w := newWorld(settings[1])
	w.receiver.Kill()
	if _, _, err := w.send(); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("%v, want ESRCH", err)
	}
	if got := w.sender.Len(); got != len(w.files) {
		t.Errorf("%d descriptors open, want %d", got, len(w.files))
	}
}

// Half of the message has been pushed when the peer dies: taking it back cannot succeed, and must
// not be missed.
func TestPeerDiesBeforeTheMessageIsTakenBack(t *testing.T) {
	w := newWorld(settings[1])
	o, _, err := w.send()
	if err != nil {
		t.Fatal(err)
	}
	w.receiver.Kill()
	o.TakeBack()
	if got := w.sender.Len(); got != len(w.files) {
		t.Errorf("%d descriptors open, want %d", got, len(w.files))
	}
}

// S3: 253 descriptors of the worst kind take at most 32 KiB.
func TestS3FullSetOfTheLargestRecords(t *testing.T) {
	kinds := slices.Repeat([]descriptor.Kind{descriptor.Listener}, descriptor.Max)
	w := newWorld(setting{"", pulledBoth, true, kinds})
	o, block, err := w.send()
	if err != nil {
		t.Fatal(err)
	}
	if len(block) != wire.MaxAncillary || o.MaxLen() != wire.MaxAncillary || len(block) > 32<<10 {
		t.Errorf("%d bytes, MaxLen says %d", len(block), o.MaxLen())
	}
	set, err := w.adopt(block)
	if err != nil || set.Len() != descriptor.Max {
		t.Fatal(set.Len(), err)
	}
	set.Close()
	o.Release()
	w.clean(t, 0)
}
