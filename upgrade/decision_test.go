package upgrade

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
)

// toldToServe is a successor that has been told to serve, and has not yet said that it does.
func (r *rig) toldToServe(t *testing.T) *channel {
	t.Helper()
	c := r.call(t)
	say(t, c, hello, typeOffer, typeOffered, message{Type: typeReady, Keys: []key{r.l.key}})
	if r.cfg.Transport == afunix.PipeTransport {
		say(t, c, typeMoved)
	}
	say(t, c, typeCommit)
	return c
}

// One that hangs at the last moment is not waited for for ever. When it goes on it learns that it
// does not serve, and has left nothing behind.
func TestSuccessorThatHangsAfterCommit(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		r := newRig(t, transport, func(cfg *Config) { cfg.ReadyTimeout = time.Second })
		c := r.call(t)
		say(t, c, hello, typeOffer, typeOffered, message{Type: typeReady, Keys: []key{r.l.key}})
		if transport == afunix.PipeTransport {
			m, rights, err := c.receive()
			if err != nil || m.Type != typeMoved {
				t.Fatal(m, err)
			}
			moved, err := rights.Listener(0) // and keeps it
			if err != nil {
				t.Fatal(err)
			}
			defer moved.Close()
		}
		say(t, c, typeCommit)
		r.expectFailure(t, "does not after 1s")
		p := &predecessor{channel: channel{conn: c.conn}}
		if err := p.confirm(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "does not after 1s") {
			t.Errorf("the successor, too late: %v", err)
		}
		c.conn.Close()
		r.expectService(t)
	})
}

// What moves may have arrived, and nobody has looked.
func TestSuccessorThatDiesWithWhatHasMoved(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		r := newRig(t, transport)
		c := r.call(t)
		say(t, c, hello, typeOffer, typeOffered, message{Type: typeReady, Keys: []key{r.l.key}})
		if _, err := c.conn.PeekMsg(make([]byte, 1)); err != nil { // moved, or commit
			t.Fatal(err)
		}
		c.conn.Close()
		r.expectFailure(t, "has left")
		r.expectService(t)
	})
}

// Whether the successor serves is decided by what comes first, its word or the end of the wait for
// it; and both know.
func TestTheLastWordIsHeardOrCannotBeSaid(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		for _, inTime := range []bool{true, false} {
			a, b, err := transport.Pair("unix")
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			defer b.Close()
			predecessor, successor := &channel{conn: a}, &channel{conn: b}
			a.SetDeadline(past)
			if inTime {
				if err := successor.send(message{Type: typeTaken}); err != nil {
					t.Fatal(err)
				}
			}
			if got := predecessor.hasSaid(typeTaken); got != inTime {
				t.Errorf("said in time: %v; heard: %v", inTime, got)
			}
			if err := successor.send(message{Type: typeTaken}); !isGone(err) {
				t.Errorf("it can be said later, too: %v", err)
			}
		}
	})
}

// What others do says nothing to Upgrade, whenever it comes.
func TestUpgradeHearsOfItsOwnChildAlone(t *testing.T) {
	r := newRig(t, afunix.DefaultTransport)
	for _, childIsEarly := range []bool{true, false} {
		w, err := r.u.await()
		if err != nil {
			t.Fatal(err)
		}
		r.u.failedOf(8, errors.New("another's"))
		if childIsEarly { // before Start has returned
			r.u.failedOf(7, errCalledOff)
		}
		r.u.expectOf(w, 7)
		r.u.failedOf(9, errors.New("another's"))
		if !childIsEarly {
			r.u.failedOf(7, errCalledOff)
		}
		r.u.failedOf(7, errors.New("once more"))
		select {
		case err := <-w.failed:
			if err != errCalledOff {
				t.Errorf("it hears: %v", err)
			}
		default:
			t.Error("it hears nothing")
		}
		r.u.awaitNothing()
		r.u.failedOf(7, errors.New("too late"))
	}
}

// Two processes that find nobody to take over from do not both serve.
func TestTwoFirstProcesses(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		cfg := newRigConfig(t, transport, make(chan error, 10))
		one, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		two, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := one.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := two.Ready(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("the second: %v, want EADDRINUSE", err)
		}
		if err := two.Close(); err != nil {
			t.Error(err)
		}
		next, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		if next.predecessor == nil {
			t.Error("the first is not found any more")
		}
	})
}

// A process that ends removes its own socket file and nobody else's.
func TestCloseLeavesTheFileOfAnother(t *testing.T) {
	r := newRig(t, afunix.DefaultTransport)
	other, err := bindControl(t.Context(), &r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.publish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.u.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(r.cfg.Address); err != nil {
		t.Error(err)
	}
	if err := other.end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(r.cfg.Address); !os.IsNotExist(err) {
		t.Errorf("its own file: %v", err)
	}
}

// A process that connects and says nothing begins no upgrade, and is not in the way of one.
func TestCallersWhoSayNothing(t *testing.T) {
	r := newRig(t, afunix.DefaultTransport)
	r.call(t).conn.Close()
	silent := r.call(t)
	r.expectService(t)
	silent.conn.Close()
	if err := r.u.Close(); err != nil { // and has finished with everybody
		t.Error(err)
	}
	select {
	case err := <-r.failed:
		t.Errorf("an upgrade has failed: %v", err)
	default:
	}
}

// A process serves on for months, and many upgrades may fail: it is left with nothing of them.
func TestFailedUpgradesLeaveNothingOpen(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport afunix.Transport) {
		r := newRig(t, transport)
		fail := func() {
			c := r.call(t)
			say(t, c, message{Type: typeHello, Version: 99})
			r.expectFailure(t, "version 99")
			c.conn.Close()
			c = r.call(t)
			say(t, c, hello, typeOffer, typeOffered)
			c.conn.Close()
			r.expectFailure(t, "has left")
			c = r.toldToServe(t)
			c.conn.Close()
			r.expectFailure(t, "has left")
		}
		fail() // and everything is there that is made once
		before := descriptors(t)
		for range 5 {
			fail()
		}
		late := time.After(patience)
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		for descriptors(t) > before {
			select {
			case <-again.C: // the last ones may be about to be closed
			case <-late:
				t.Fatalf("%d descriptors are open, and were %d", descriptors(t), before)
			}
		}
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	n, err := leaktest.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A predecessor that dies, at whatever step, leaves the service to its successor.
func TestPredecessorThatDiesAtEachStep(t *testing.T) {
	for step, script := range map[string][]any{
		"when it has offered": {typeHello, message{Type: typeOffered}},
		"when it is asked":    {typeHello, message{Type: typeOffered}, typeReady},
		"when it has yielded": {typeHello, message{Type: typeOffered}, typeReady, message{Type: typeCommit}},
		"when it is told":     {typeHello, message{Type: typeOffered}, typeReady, message{Type: typeCommit}, typeTaken},
	} {
		t.Run(step, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, transport afunix.Transport) {
				cfg := newRigConfig(t, transport, make(chan error, 10))
				lc := afunix.ListenConfig{Transport: transport}
				l, err := lc.Listen(t.Context(), "unix", cfg.Address)
				if err != nil {
					t.Fatal(err)
				}
				l.SetUnlinkOnClose(false) // as it is when a process is killed
				died := make(chan struct{})
				go func() {
					defer close(died)
					defer l.Close()
					conn, err := l.AcceptConn()
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					conn.SetDeadline(time.Now().Add(patience))
					say(t, &channel{conn: conn}, script...)
				}()
				u, err := New(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer u.Close()
				defer func() { <-died }()
				if err := u.Ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				next, err := New(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer next.Close()
				if next.predecessor == nil {
					t.Error("it cannot be replaced itself")
				}
			})
		})
	}
}
