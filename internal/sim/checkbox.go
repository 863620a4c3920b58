package sim

import (
	"errors"
	"os"
	"slices"
	"syscall"
)

// check compares what has been sent to a box with what has come out of it.
func (b *Box) check() {
	var before []*Letter // that have been received
	for i, d := range b.got {
		x := b.w.letter(d)
		d.letter = x
		switch {
		case x == nil || x.to != b:
			b.w.fail("order and boundaries", "%v has received a datagram of %d bytes that was not sent to it", b, len(d.data))
			continue
		case slices.Contains(before, x):
			b.w.fail("received exactly once", "%v has received %v twice", b, x)
		case x.ended > 0 && x.err != nil && x.n == 0:
			b.w.fail("failed, nothing sent", "%v has received %v", b, x)
		case d.from != x.from.name:
			b.w.fail("order and boundaries", "%v has received %v from %q", b, x, d.from)
		}
		for _, e := range b.got[:i] {
			if y := e.letter; y != nil && x.precedes(y) && e.ended < d.began {
				b.w.fail("order and boundaries", "%v has received %v after %v, which was sent when that had returned", b, x, y)
			}
		}
		b.checkFiles(x, d)
		before = append(before, x)
	}
	for _, x := range b.w.letters() {
		switch {
		case x.to != b || x.ended == 0:
		case x.err == nil && x.ended < b.quiet && !slices.Contains(before, x):
			b.w.fail("received exactly once", "%v has not received %v", b, x)
		case x.n > 0 && errors.Is(x.err, syscall.ECONNREFUSED) && len(b.w.faults) == 0:
			b.w.fail("honest peers", "a link broke, though nothing had gone wrong: %v", x)
		}
	}
}

// precedes reports whether x has to come before y: x had been sent when the other send began. If
// nobody knows whether x had been, that holds for what the same process sent behind it, unless their
// link may have been lost.
func (x *Letter) precedes(y *Letter) bool {
	if x.ended == 0 || x.ended >= y.began {
		return false
	}
	lost := slices.ContainsFunc(x.from.w.pipes, func(p *messagePipe) bool { return p.broken })
	behind := x.from == y.from && x.life == y.life && errors.Is(x.err, os.ErrDeadlineExceeded) && !lost
	return x.err == nil || behind
}

// checkFiles looks at the descriptors of a datagram.
func (b *Box) checkFiles(x *Letter, d *delivery) {
	full := slices.ContainsFunc(b.w.procs, func(p *Process) bool { return p.full })
	uncertain := x.ended == 0 || x.err != nil
	switch {
	case d.lost && (full || uncertain):
	case d.lost:
		b.w.fail("received exactly once", "%v has lost the descriptors of %v, and there was room", b, x)
	case !slices.Equal(d.files, x.files):
		b.w.fail("received exactly once", "%v has received %d descriptors of %v", b, len(d.files), x)
	}
}

// letters are all that were sent.
func (w *World) letters() (all []*Letter) {
	for _, b := range w.boxes {
		all = append(all, b.sent...)
	}
	return all
}

// letter returns the one that was received: no two have the same bytes.
func (w *World) letter(d *delivery) *Letter {
	for _, x := range w.letters() {
		if string(x.data) == string(d.data) {
			return x
		}
	}
	return nil
}
