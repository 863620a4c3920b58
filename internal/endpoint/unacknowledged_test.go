package endpoint_test

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about messages that nobody acknowledges: what becomes of the copies that are parked
// for them, and of the values of those.

// A receiver that dies with a message has had it, as in the kernel: whether it has read it nobody
// knows, and nothing of it is left.
func TestP3ReceiverDiesWithTheMessage(t *testing.T) {
	for _, adopted := range []bool{true, false} {
		bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
			if adopted {
				r.clientPipe.hold() // the acknowledgement
				r.clientPipe.limit(1)
				send(t, r.server, "fills the pipe")
			} else {
				r.serverPipe.hold()
			}
			sent := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil) })
			r.pending(sent, "a send that nobody acknowledges")
			if adopted {
				recv(t, r.server, "x", 3).Close()
			}
			r.serverProc.Kill()
			r.serverPipe.Close()
			r.clientPipe.letGo()
			if o := <-sent; o.n != 1 || o.err != nil {
				t.Errorf("adopted %t: %+v", adopted, o)
			}
			if got := r.extra(r.clientProc); got != 0 {
				t.Errorf("adopted %t: %d copies are parked", adopted, got)
			}
			if n, err := r.client.Write([]byte("y")); err != syscall.EPIPE {
				t.Errorf("adopted %t: then %d, %v", adopted, n, err)
			}
		})
	}
}

// A sender that has waited for an acknowledgement as long as it does lets go of its copies, and
// other files may get their values. A receiver that comes later must not take those for what was
// sent.
func TestP3LateReceiverPullsNothingElse(t *testing.T) {
	for _, reused := range []bool{true, false} {
		bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
			r.clientProc.Reuse()
			r.serverPipe.hold()
			files := r.open(r.clientProc, descriptor.File, 3)
			r.client.SetWriteDeadline(time.Now().Add(time.Second))
			if n, err := r.client.Send([]byte("late"), files, nil); n != 4 || err != os.ErrDeadlineExceeded {
				t.Fatal(n, err)
			}
			r.client.SetWriteDeadline(time.Time{})
			send(t, r.client, "and more")
			r.client.Close()
			time.Sleep(time.Minute)
			if got := r.extra(r.clientProc); got != 0 {
				t.Fatalf("%d copies are parked after a minute", got)
			}
			if reused {
				r.open(r.clientProc, descriptor.File, 3)
			}
			r.serverPipe.letGo()
			r.truncated("late")
			recv(t, r.server, "and more", 0)
			if got := r.extra(r.serverProc); got != 0 {
				t.Errorf("reused %t: the receiver has %d descriptors", reused, got)
			}
		})
	}
}

// An acknowledgement that finds the pipe full does not hold up the message: its sender is there.
func TestP3AcknowledgementThatWaitsForRoom(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.hold()
		r.clientPipe.limit(1)
		send(t, r.server, "fills the pipe")
		sent := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil) })
		r.pending(sent, "a send that nobody acknowledges")
		recv(t, r.server, "x", 3).Close()
		r.clientPipe.limit(0)
		r.clientPipe.letGo()
		if o := <-sent; o.n != 1 || o.err != nil {
			t.Errorf("%+v", o)
		}
		recv(t, r.client, "fills the pipe", 0)
	})
}

// Nor does it make the message suspect when there is room again, and its sender closes as soon as
// he has it.
func TestP3AcknowledgementFindsRoomAndItsSenderCloses(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.hold()
		r.clientPipe.limit(1)
		send(t, r.server, "fills the pipe")
		r.serverPipe.hold()
		sent := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil) })
		r.pending(sent, "a send that nobody acknowledges")
		r.serverPipe.asked = func() {
			r.serverPipe.asked = nil
			r.clientPipe.limit(0)
			r.clientPipe.letGo()
			if o := <-sent; o.err != nil {
				t.Error(o.err)
			}
			r.client.Close()
		}
		r.serverPipe.letGo()
		recv(t, r.server, "x", 3).Close()
	})
}

// watchedTable notes which files are closed while a pipe is open.
type watchedTable struct {
	*simproc.Process
	pipe  *fakePipe
	early int
}

func (w *watchedTable) Close(v uintptr, k descriptor.Kind) error {
	if w.pipe != nil && !w.pipe.isClosed() {
		w.early++
	}
	return w.Process.Close(v, k)
}

// Nothing that a living peer might still pull is let go of before the pipe is closed: by which the
// peer knows (see errLetGo).
func TestP3PipeIsClosedBeforeCopiesAreReleased(t *testing.T) {
	for name, how := range map[string]func(*testing.T, *rig){
		"we close": func(_ *testing.T, r *rig) { r.client.Close() },
		"the peer lies": func(t *testing.T, r *rig) {
			inject(t, r.serverPipe, wire.Packet{Type: wire.Ack, Serial: 99})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				r.serverPipe, r.clientPipe = newFakePipe(onLinux, r.serverProc, r.clientProc)
				r.source.pipes <- r.serverPipe
				table := &watchedTable{Process: r.clientProc}
				var err error
				if r.client, err = endpoint.Dial(context.Background(), r.clientPipe, endpoint.Config{Type: sock.Stream, Table: table}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				table.pipe = r.clientPipe
				r.serverPipe.hold()
				sent := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil) })
				r.pending(sent, "a send that nobody acknowledges")
				how(t, r)
				if o := <-sent; o.n != 1 || o.err != syscall.EPIPE && o.err != net.ErrClosed {
					t.Errorf("%+v", o)
				}
				time.Sleep(time.Minute)
				if got := r.extra(r.clientProc); table.early != 0 || got != 0 {
					t.Errorf("%d copies were released while the pipe was open, %d are parked", table.early, got)
				}
			})
		})
	}
}

// P8: an end that was about to move over this connection stays if the other one is closed before it
// has taken it: the goodbye says so at once.
func TestP8GoodbyeToAnEndThatMovesOverItself(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.hold() // which knows nothing of its move
		inject(t, r.clientPipe, wire.Packet{Type: wire.Move, Flags: wire.Itself, Serial: 1})
		synctest.Wait()
		r.server.Close()
		if got := r.serverPipe.written(wire.Bye); len(got) != 1 {
			t.Errorf("%d goodbyes", len(got))
		}
	})
}

// An end that lingers for room finds some when it has looked for the last time. It says goodbye
// then: else what has come since would be nobody's.
func TestP4GoodbyeThatFindsRoomAtTheLastMoment(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.hold()
		r.clientPipe.limit(1)
		send(t, r.server, "fills the pipe")
		var sent <-chan outcome
		r.serverPipe.none = func() {
			r.serverPipe.none = nil
			r.clientPipe.limit(0)
			files := r.open(r.clientProc, descriptor.File, 3)
			sent = start(func() (int, error) { return r.client.Send([]byte("x"), files, nil) })
			r.pending(sent, "a send that nobody looks at")
		}
		r.server.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if sent == nil {
			t.Fatal("nobody has looked")
		}
		r.clientPipe.letGo()
		if o := <-sent; o.n != 0 || o.err != syscall.EPIPE {
			t.Errorf("%+v, want EPIPE", o)
		}
		if n := r.extra(r.serverProc); n != 0 {
			t.Errorf("%d descriptors are left in the peer", n)
		}
	})
}
