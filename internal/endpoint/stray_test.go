package endpoint_test

import (
	"errors"
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
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// This file is about luggage in the pipe whose message does not come. What has been put into the
// peer with it, exactly one side closes.

// laden returns an end in the server's process that has descriptors in its queue.
func laden(t *testing.T, r *rig) (end, other *endpoint.Conn) {
	t.Helper()
	x, y := newFakePipe(onWindows, r.serverProc, r.serverProc)
	x.number = r.serverProc.Open(descriptor.EndKind(descriptor.Unix))
	r.left++ // that of this pipe, which nobody closes
	end, other = paired(t, r.config(r.serverProc, sock.Stream), x, y)
	send(t, other, "f", r.open(r.serverProc, descriptor.File, 3)...)
	return end, other
}

// strand has the server write luggage whose message does not come, and the client read it.
func strand(t *testing.T, r *rig) {
	t.Helper()
	end, other := laden(t, r)
	r.clientPipe.hold()
	r.clientPipe.limit(1)
	sent := start(func() (int, error) { return r.server.Send([]byte("m"), []transport.File{{End: end}}, nil) })
	time.Sleep(time.Second) // until the pipes are read
	r.pending(sent, "a send that has room for its luggage alone")
	go r.server.CloseWrite()
	if o := <-sent; o.err != syscall.EPIPE {
		t.Fatal(o.err)
	}
	end.Close()
	other.Close()
	r.clientPipe.limit(0)
	r.clientPipe.letGo()
	synctest.Wait()
	if n := r.extra(r.clientProc); n != 3 {
		t.Fatalf("%d descriptors are in the peer", n)
	}
}

func TestP4LuggageWhoseMessageDoesNotCome(t *testing.T) {
	read := func(r *rig) {
		r.clientPipe.limit(0)
		r.clientPipe.letGo()
		synctest.Wait()
	}
	for name, tt := range map[string]struct {
		ends func(r *rig)
		err  error
	}{
		"we shut down, and the peer closes": {func(r *rig) {
			go r.server.CloseWrite()
			synctest.Wait()
			r.client.Close()
		}, syscall.EPIPE},
		"we shut down, and the peer has read it and closes": {func(r *rig) {
			go r.server.CloseWrite()
			synctest.Wait()
			read(r)
			r.client.Close()
		}, syscall.EPIPE},
		"we shut down, and then close": {func(r *rig) {
			go r.server.CloseWrite()
			synctest.Wait()
			read(r)
			r.server.Close()
		}, syscall.EPIPE},
		"the peer shuts down, and then closes": {func(r *rig) {
			r.client.CloseRead()
			synctest.Wait()
			r.client.Close()
		}, syscall.EPIPE},
		"the peer closes": {func(r *rig) { r.client.Close() }, syscall.EPIPE},
		"we close": {func(r *rig) {
			r.server.Close()
			read(r)
		}, net.ErrClosed},
		"both close at once": {func(r *rig) {
			r.server.Close()
			synctest.Wait()
			r.clientPipe.limit(0) // there is room for our goodbye, and nobody has read it
			synctest.Wait()
			r.client.Close()
		}, net.ErrClosed},
		"the peer dies": {func(r *rig) {
			r.clientProc.Kill()
			r.clientPipe.Close()
		}, syscall.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
				end, other := laden(t, r)
				r.clientPipe.hold()
				r.clientPipe.limit(1)
				sent := start(func() (int, error) { return r.server.Send([]byte("m"), []transport.File{{End: end}}, nil) })
				time.Sleep(time.Second) // until the pipes are read
				r.pending(sent, "a send that has room for its luggage alone")
				if got := r.serverPipe.written(wire.Data); len(got) != 1 || got[0].Records != 3 {
					t.Fatalf("%+v has been written", got)
				}
				tt.ends(r)
				if o := <-sent; o.n != 0 || !errors.Is(o.err, tt.err) {
					t.Errorf("%+v, want %v", o, tt.err)
				}
				time.Sleep(time.Minute)
				if n := r.extra(r.clientProc); n != 0 {
					t.Errorf("%d descriptors are left in the peer", n)
				}
				for _, c := range []*endpoint.Conn{end, other} {
					if err := c.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// The former owner of a peer's end that has moved closes what has strayed to him. Its values mean
// something else in the process that the goodbye comes from.
func TestP4LuggageIsNotTakenBackFromTheNextOwner(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		end, other := laden(t, r)
		defer end.Close()
		defer other.Close()
		r.clientPipe.hold()
		r.clientPipe.limit(1)
		sent := start(func() (int, error) { return r.server.Send([]byte("m"), []transport.File{{End: end}}, nil) })
		time.Sleep(time.Second) // until the pipes are read
		r.pending(sent, "a send that has room for its luggage alone")
		go r.server.CloseWrite()
		if o := <-sent; o.err != syscall.EPIPE {
			t.Fatal(o.err)
		}
		inject(t, r.clientPipe, wire.Packet{Type: wire.Move, Serial: 1})
		inject(t, r.clientPipe, wire.Packet{Type: wire.Bye})
		time.Sleep(time.Second)
		if n := r.extra(r.clientProc); n != 3 {
			t.Errorf("%d descriptors of 3 are left", n)
		}
		r.clientPipe.letGo()
		r.clientPipe.Close()
		r.left += 3
	})
}

// Both ends are closed, this one when the luggage is just being written: it hears the peer's
// goodbye all the same.
func TestP4LuggageThatIsWrittenWhenItsEndIsClosed(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		end, other := laden(t, r)
		defer end.Close()
		defer other.Close()
		r.clientPipe.hold()
		r.serverPipe.tried = func() {
			if r.extra(r.clientProc) == 0 {
				return // that is not the luggage
			}
			r.serverPipe.tried = nil
			go r.server.Close()
			synctest.Wait()
		}
		sent := start(func() (int, error) { return r.server.Send([]byte("m"), []transport.File{{End: end}}, nil) })
		if o := <-sent; o.n != 0 || o.err != net.ErrClosed {
			t.Errorf("%+v, want net.ErrClosed", o)
		}
		synctest.Wait() // our goodbye has been said
		r.client.Close()
		time.Sleep(time.Minute)
		if n := r.extra(r.clientProc); n != 0 {
			t.Errorf("%d descriptors are left in the peer", n)
		}
	})
}

// An askedTable does something when it has been asked what a descriptor is.
type askedTable struct {
	*simproc.Process
	asked func()
}

func (a *askedTable) Matches(v uintptr, k descriptor.Kind) (fits bool, err error) {
	fits, err = a.Process.Matches(v, k)
	a.answered()
	return fits, err
}

func (a *askedTable) Kinds(of []descriptor.Asked) (known int, err error) {
	known, err = a.Process.Kinds(of)
	a.answered()
	return known, err
}

func (a *askedTable) answered() {
	if f := a.asked; f != nil {
		a.asked = nil
		f()
	}
}

// A connection that is ended because its peer lies is closed at the same time. There is no goodbye
// upon which the peer would take back what is being closed here.
func TestP4LuggageOfALiarIsClosedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		table := &askedTable{Process: r.clientProc}
		cfg := r.config(r.clientProc, sock.Stream)
		cfg.Table = table
		r.connectBy(onWindows, cfg)
		strand(t, r)
		r.serverPipe.hold()
		r.client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 1), nil); n != 1 || err != os.ErrDeadlineExceeded {
			t.Fatal(n, err) // its outcome is unknown, so that Close does not wait for the reader
		}
		table.asked = func() {
			go r.client.Close()
			synctest.Wait()
			r.serverPipe.letGo()
			synctest.Wait()
		}
		inject(t, r.serverPipe, wire.Packet{Type: wire.Ack, Serial: 99})
		time.Sleep(time.Minute)
		if n := r.extra(r.clientProc); n != 0 || table.asked != nil {
			t.Errorf("%d descriptors are left in the peer", n)
		}
	})
}
