package move_test

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// cargo is one end of each kind, with others in its queue, or as its parts.
func (w *world) cargo() []*end {
	return []*end{
		w.conn("a", 2, w.conn("b", 1), w.packetConn("c", w.conn("d", 0))),
		w.listener("e", 3, 2, w.conn("f", 1)),
		w.packetConn("g", w.conn("h", 0, w.listener("i", 1, 0)), w.conn("j", 0)),
	}
}

var ways = map[string]rights.Way{"pull": rights.Pull, "push": rights.Push}

// What is made of an end at the other side is what it was made of, down to the ends in the queues
// of those in its queue; and nothing of it is left here, or open twice.
func TestEndsArriveAsTheyLeft(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, way)
			ends := w.cargo()
			want := fmt.Sprint(ends)
			all := w.here.Len()
			message := w.outgoing(len(ends))
			m := w.sending(message, ends...)
			if err := errors.Join(m.Pack(), message.Duplicate(), m.Duplicate()); err != nil {
				t.Fatal(err)
			}
			set, err := w.receive(w.write(m), message)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(set.Ends()); got != want {
				t.Errorf("%s became %s", want, got)
			}
			m.Release()
			m.Settle(true)
			w.have(0, all)
			if len(w.guests) > 0 {
				t.Error("the carrier still watches")
			}
			set.Discard()
			w.have(0, 0)
		})
	}
}

// All ends begin before any gets ready, and are ready before any is packed; all have moved before
// any is released. Ends in a queue come when their carrier is ready.
func TestOrderOfAMove(t *testing.T) {
	w := newWorld(t, rights.Pull)
	m := w.message(w.cargo()...)
	if err := m.Pack(); err != nil {
		t.Fatal(err)
	}
	m.Finish()
	for what, want := range map[string]string{
		"begin":   "[a e f g h j b c d i]",
		"ready":   "[b d c a f e i h j g]",
		"pack":    "[a b c d e f g h i j]",
		"moved":   "[a f e h j g b d c i]",
		"release": "[a f e h j g b d c i]",
		"stay":    "[]",
	} {
		if got := fmt.Sprint(w.logged(what)); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	last := func(what string) int { return slices.Index(w.log, what+" "+w.logged(what)[len(w.logged(what))-1]) }
	if last("ready") > slices.Index(w.log, "pack a") || last("moved") > slices.Index(w.log, "release a") {
		t.Errorf("out of order: %v", w.log)
	}
}

// Whatever fails: those that have begun stay, each once, and none has moved; nothing is left open
// in the other process, nor closed here.
func TestAMoveThatFails(t *testing.T) {
	injected := errors.New("injected")
	for _, step := range []string{"begin", "ready", "pack", "ask"} {
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			w := newWorld(t, rights.Push)
			w.fail, w.err = step+" "+name, injected
			ends := w.cargo()
			all := w.here.Len()
			m := w.message(ends...)
			if err := m.Pack(); !errors.Is(err, injected) {
				t.Errorf("%s %s: %v", step, name, err)
			}
			stayed := w.logged("stay")
			slices.Sort(stayed)
			if len(slices.Compact(slices.Clone(stayed))) != len(stayed) || len(stayed) != len(m.Ends()) {
				t.Errorf("%s %s: %v stay of %d", step, name, stayed, len(m.Ends()))
			}
			if n := len(w.logged("moved")) + len(w.logged("release")) + len(w.logged("close")); n > 0 || len(w.guests) > 0 {
				t.Errorf("%s %s: %v, %d are watched", step, name, w.log, len(w.guests))
			}
			w.have(all, 0)
		}
	}
}

// Which descriptor it was is said if it is to blame.
func TestWhichEndIsToBlame(t *testing.T) {
	for _, step := range []string{"begin g", "ready g", "begin j"} {
		w := newWorld(t, rights.Pull)
		w.fail, w.err = step, syscall.EBADF
		var at *descriptor.IndexError
		if err := w.message(w.cargo()...).Pack(); !errors.As(err, &at) || at.Index != 2 || !errors.Is(err, syscall.EBADF) {
			t.Errorf("%s: %v", step, err)
		}
	}
}

// A message that goes into the queue of an end that goes with it: nobody can ever receive it, and
// the ends of the message are closed, with all that is in them.
func TestAnEndInItsOwnQueue(t *testing.T) {
	w := newWorld(t, rights.Pull)
	w.peerID = 7
	ends := w.cargo()
	ends[0].queue[0].id = 7
	if err := w.message(ends...).Pack(); err != move.ErrCycle {
		t.Error(err)
	}
	if got := fmt.Sprint(w.logged("close")); got != "[a b c d e f g h i j]" {
		t.Errorf("%s are closed", got)
	}
}

// What ends take along is bounded.
func TestTooMuchLuggage(t *testing.T) {
	w := newWorld(t, rights.Pull)
	if err := w.message(w.conn("a", sock.MaxWeight-16)).Pack(); err != nil {
		t.Error(err)
	}
	if err := w.message(w.conn("a", sock.MaxWeight)).Pack(); err != syscall.ETOOMANYREFS {
		t.Errorf("%v, want ETOOMANYREFS", err)
	}
}

// What the receiver has not looked at stays, or is put back.
func TestWhatBecomesOfAMove(t *testing.T) {
	for name, tt := range map[string]struct {
		end         func(*move.Outgoing)
		what        string
		here, there int
	}{
		"taken back": {func(m *move.Outgoing) { m.TakeBack(); m.Settle(true) }, "stay", 2, 0},
		"declined":   {func(m *move.Outgoing) { m.Decline(); m.Settle(true) }, "stay", 2, 2},
		"released":   {func(m *move.Outgoing) { m.Release(); m.Settle(true) }, "release", 0, 2},
		"unknown":    {func(m *move.Outgoing) { m.Settle(false) }, "moved", 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, rights.Push)
			message := w.outgoing(1)
			m := w.sending(message, w.conn("a", 1))
			if err := errors.Join(m.Pack(), message.Duplicate(), m.Duplicate()); err != nil {
				t.Fatal(err)
			}
			w.write(m)
			tt.end(m)
			if got := fmt.Sprint(w.logged(tt.what)); got != "[a]" {
				t.Errorf("%s: %v", tt.what, w.log)
			}
			w.have(tt.here, tt.there)
		})
	}
}

// halfWritten gives up a message of which one packet of luggage has been written. What has not been
// is taken back.
func halfWritten(t *testing.T) (w *world, stray *rights.Outgoing, luggage *wire.Packet) {
	t.Helper()
	w = newWorld(t, rights.Push)
	message := w.outgoing(1)
	m := w.sending(message, w.conn("a", 300))
	if err := errors.Join(m.Pack(), message.Duplicate(), m.Duplicate()); err != nil {
		t.Fatal(err)
	}
	p, err := m.Packet()
	if err != nil || p.Records != sock.MaxRights || !m.More() {
		t.Fatalf("%d records, %v", p.Records, err)
	}
	m.Wrote()
	message.TakeBack()
	m.Undo()
	w.have(301, sock.MaxRights)
	if len(w.strays) != 1 {
		t.Fatalf("%d packets have strayed", len(w.strays))
	}
	return w, w.strays[0], &p
}

// Its luggage is the peer's, which closes that …
func TestLuggageThatIsHalfWritten(t *testing.T) {
	w, stray, p := halfWritten(t)
	l := new(move.Luggage)
	l.Add(p)
	w.incoming(*l).Discard()
	w.have(301, 0)
	stray.Decline()
	w.have(301, 0)
}

// … or it is taken back, if the peer has been closed and looks at nothing any more.
func TestLuggageThatIsReturned(t *testing.T) {
	w, stray, _ := halfWritten(t)
	stray.Unpark()
	w.have(301, sock.MaxRights)
	stray.TakeBack()
	w.have(301, 0)
}

// Of a message without ends nothing is asked.
func TestNothingMoves(t *testing.T) {
	var m *move.Outgoing
	m.Undo()
	if m.Weight() != 0 || m.Duplicate() != nil || m.Exported() {
		t.Error("nothing weighs something")
	}
}

// Luggage of which something is left over belongs to nothing, and neither does a message whose
// luggage has not come.
func TestLuggageThatDoesNotFit(t *testing.T) {
	for name, change := range map[string]func(l *move.Luggage, w *world){
		"none":       func(l *move.Luggage, _ *world) { *l = move.Luggage{} },
		"a bit more": func(l *move.Luggage, _ *world) { l.Add(packet(nil, []byte{4})) },
		"a file more": func(l *move.Luggage, w *world) {
			l.Add(packet(record(w.here.Open(descriptor.File)), nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, rights.Pull)
			message := w.outgoing(1)
			m := w.sending(message, w.listener("a", 1, 1))
			if err := errors.Join(m.Pack(), message.Duplicate(), m.Duplicate()); err != nil {
				t.Fatal(err)
			}
			l := w.write(m)
			change(&l, w)
			if set, err := w.receive(l, message); !errors.Is(err, rights.ErrRecord) {
				t.Errorf("%v, %v", set, err)
			}
			w.have(w.here.Len(), 0)
		})
	}
}

// Where ends cannot come, none is made.
func TestEndsThatCannotCome(t *testing.T) {
	w := newWorld(t, rights.Pull)
	message := w.outgoing(1)
	m := w.sending(message, w.conn("a", 1))
	if err := errors.Join(m.Pack(), message.Duplicate(), m.Duplicate()); err != nil {
		t.Fatal(err)
	}
	l := w.write(m)
	block, err := message.Records()
	if err != nil {
		t.Fatal(err)
	}
	in := move.Receive(l, w.there, w.from, w.route, nil)
	if _, err := in.Message(&messagePacket{Ancillary: block, Records: 1}); !errors.Is(err, rights.ErrRecord) {
		t.Error(err)
	}
	w.have(w.here.Len(), 0)
}

// A child process makes the end that it inherits of its state and its descriptor, and of nothing
// else.
func TestInherit(t *testing.T) {
	w := newWorld(t, rights.Pull)
	state := func(e *end) []byte {
		m := move.New(nil, nil, w.room)
		if err := errors.Join(m.Nest([]move.End{e}), e.Pack(m)); err != nil {
			t.Fatal(err)
		}
		return m.State()
	}
	conn, listener := state(w.conn("a", 0)), state(w.listener("b", 1, 0))
	inherit := func(state []byte) (move.End, error) {
		return move.Inherit(state, w.there.Open(descriptor.EndKind(descriptor.Unix)), w.there, w)
	}
	e, err := inherit(conn)
	if err != nil || fmt.Sprint(e) != "a(1+0)" {
		t.Fatalf("%v, %v", e, err)
	}
	e.Close()
	for name, state := range map[string][]byte{"nothing": nil, "another end": listener, "more": append(conn, 0), "less": conn[:len(conn)-1]} {
		if e, err := inherit(state); !errors.Is(err, rights.ErrRecord) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	w.have(w.here.Len(), 0)
}
