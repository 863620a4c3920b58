package winpipe

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"afunix/internal/pipe"
)

// beEager makes each end wait on its thread, for as long as it takes, until the test ends.
func beEager(t *testing.T) {
	before, most := eagerness, maxEager
	eagerness, maxEager = time.Hour, 100
	t.Cleanup(func() { eagerness, maxEager = before, most })
}

// eagerPair is a pair, as if the two ends were in two processes where messages come one upon the
// other.
func eagerPair() (a, b pipe.Pipe, err error) {
	a, b, err = system.Pair()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range []*Pipe{a.(*Pipe), b.(*Pipe)} {
		p.apart.Store(true)
		p.end.(*polled).eager.busy = true
	}
	return a, b, nil
}

func newEagerPair(t *testing.T) (a, b *Pipe) {
	t.Helper()
	x, y, err := eagerPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); y.Close() })
	return x.(*Pipe), y.(*Pipe)
}

// awaitEager waits until a thread is held, and a while more for its system call.
func awaitEager(t *testing.T) {
	t.Helper()
	limit := time.Now().Add(patience)
	for eagerNow.Load() == 0 {
		if time.Now().After(limit) {
			t.Fatal("nobody reads eagerly")
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
}

func TestEagerEndsDoTheSame(t *testing.T) {
	beEager(t)
	doTheSame(t, eagerPair)
}

// What comes when the time is just over is read once, by whichever way.
func TestWhatComesWhenEagernessIsOverIsNotLost(t *testing.T) {
	before := eagerness
	eagerness = 2 * time.Millisecond
	defer func() { eagerness = before }()
	a, b := newEagerPair(t)
	const packets = 300
	sent := make(chan error, 1)
	go func() {
		for i := range uint32(packets) {
			pause := time.NewTimer(time.Duration(rand.Int64N(int64(2 * eagerness))))
			<-pause.C
			if err := a.Write(binary.BigEndian.AppendUint32(nil, i), nil); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	within(t, "reading", func() error {
		for i := range uint32(packets) {
			b.end.(*polled).eager.busy = true
			packet, err := tryRead(b)
			if err != nil || binary.BigEndian.Uint32(packet) != i {
				t.Errorf("packet %d: %v, %v", i, packet, err)
				return err
			}
		}
		return nil
	})
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// An end holds a thread only while messages come one upon the other.
func TestEagernessEnds(t *testing.T) {
	before := eagerness
	eagerness = time.Hour
	defer func() { eagerness = before }()
	a, b := newEagerPair(t)
	write(t, a, []byte("there already"))
	read(t, b)
	e := &b.end.(*polled).eager
	if !e.busy {
		t.Error("after a message that came at once, the next one is not expected soon")
	}
	eagerness = time.Millisecond
	got := make(chan []byte)
	go func() {
		packet, _ := tryRead(b)
		got <- packet
	}()
	late := time.NewTimer(100 * eagerness)
	<-late.C
	write(t, a, []byte("late"))
	if packet := <-got; string(packet) != "late" {
		t.Errorf("got %q", packet)
	}
	if e.busy {
		t.Error("after a message that came late, the next one is expected soon")
	}
	if n := eagerNow.Load(); n != 0 {
		t.Errorf("%d threads are still counted", n)
	}
}

// A thread more than there may be is not held: the poller waits.
func TestEagernessIsBounded(t *testing.T) {
	beEager(t)
	maxEager = 1
	x, y := newEagerPair(t)
	held := make(chan error, 1)
	go func() { _, err := tryRead(x); held <- err }()
	awaitEager(t)
	a, b := newEagerPair(t)
	write(t, a, []byte("polled"))
	if got := string(read(t, b)); got != "polled" {
		t.Errorf("got %q", got)
	}
	if b.end.(*polled).eager.reads != nil {
		t.Error("a second end has read eagerly")
	}
	y.Close()
	if err := within(t, "Read", func() error { return <-held }); err != io.EOF {
		t.Errorf("the first end: %v, want EOF", err)
	}
}

// Ends whose peer is in the same process wait with the poller: the peer may need the processor.
func TestEndsOfOneProcessAreNotEager(t *testing.T) {
	a, b := pair(t)
	hello, err := a.Proof()
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := b.Identify(hello); err != nil || c.PID != os.Getpid() {
		t.Fatalf("Identify: %+v, %v", c, err)
	}
	if b.apart.Load() {
		t.Error("the peer counts as another process")
	}
}

// An eager Read knows whether it has waited, so that nobody has to look for more.
func TestEagerReadSaysWhetherItHasWaited(t *testing.T) {
	beEager(t)
	a, b := newEagerPair(t)
	write(t, a, []byte("one"))
	if read(t, b); b.Waited() {
		t.Error("a Read that found its packet says that it has waited")
	}
	got := make(chan error, 1)
	go func() { _, err := tryRead(b); got <- err }()
	awaitEager(t)
	write(t, a, []byte("two"))
	if err := <-got; err != nil || !b.Waited() {
		t.Errorf("a Read that has waited: %v; it says %v", err, b.Waited())
	}
	b.Interrupt()
	write(t, a, []byte("three"))
	if read(t, b); b.Waited() {
		t.Error("a Read that must not wait says that it has waited")
	}
}
