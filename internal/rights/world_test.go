package rights_test

import (
	"errors"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/simproc"
)

// A world is two processes and one message between them.
type world struct {
	sender, receiver *simproc.Process
	toReceiver       *simproc.View
	toSender         *simproc.View
	route            rights.Route
	kinds            []descriptor.Kind
	files            []uintptr // the user's, in the sender
	own              []uintptr // the receiver's own
}

// A setting is how descriptors travel.
type setting struct {
	name    string
	route   rights.Route
	sockets bool // go by export
	kinds   []descriptor.Kind
}

var plain = []descriptor.Kind{descriptor.File, descriptor.Pipe, descriptor.Stream, descriptor.Memory, descriptor.Datagram}

var settings = []setting{
	{"pull", pulled, false, plain},
	{"push", pushed, false, plain},
	{"pull, sockets exported", pulledBoth, true, plain},
	{"push, sockets exported", pushed, true, plain},
}

func newWorld(s setting) *world {
	w := &world{sender: simproc.New("sender"), receiver: simproc.New("receiver"), route: s.route, kinds: s.kinds}
	w.toReceiver = w.sender.View(w.receiver, all, s.sockets)
	w.toSender = w.receiver.View(w.sender, all, s.sockets)
	for _, k := range s.kinds {
		w.files = append(w.files, w.sender.Open(k))
	}
	for _, k := range []descriptor.Kind{descriptor.File, descriptor.Stream} {
		w.own = append(w.own, w.receiver.Open(k))
	}
	return w
}

// send makes the message, up to its records. On an error it has been taken back, as the engine
// does.
func (w *world) send() (o *rights.Outgoing, block []byte, err error) {
	o = rights.NewOutgoing(w.sender, w.toReceiver, w.route, len(w.files))
	for _, v := range w.files {
		o.Add(v)
	}
	if err = o.Look(); err != nil {
		o.TakeBack()
		return o, nil, err
	}
	if err = o.Duplicate(); err != nil {
		o.TakeBack()
		return o, nil, err
	}
	if block, err = o.Records(); err != nil {
		o.TakeBack()
	}
	return o, block, err
}

func (w *world) adopt(block []byte) (*descriptor.Set, error) {
	return rights.Adopt(w.receiver, w.toSender, w.route, block, len(w.files), nil)
}

// clean fails unless both processes have open what they had at first, and extra in the receiver.
func (w *world) clean(t *testing.T, extra int) {
	t.Helper()
	if got := w.sender.Len(); got != len(w.files) {
		t.Errorf("sender has %d descriptors open, want %d", got, len(w.files))
	}
	if got := w.receiver.Len(); got != len(w.own)+extra {
		t.Errorf("receiver has %d descriptors open, want %d", got, len(w.own)+extra)
	}
	for _, p := range []*simproc.Process{w.sender, w.receiver} {
		for _, f := range p.Faults() {
			t.Error(f)
		}
	}
}

// A failure is an operation that failAt made fail.
type failure struct{ op, before simproc.Op }

// failAt makes operation k (from 0) of p fail. The failure stays zero if there are fewer.
func failAt(p *simproc.Process, k int, err error) *failure {
	f := new(failure)
	var before simproc.Op
	n := 0
	p.Inject(func(op simproc.Op) error {
		if n++; n == k+1 {
			*f = failure{op, before}
			return err
		}
		before = op
		return nil
	})
	return f
}

var errInjected = errors.New("injected")
