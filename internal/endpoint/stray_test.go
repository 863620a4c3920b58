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

// laden returns an end in the server's process that has descriptors of that kind in its queue.
func laden(t *testing.T, r *rig, k descriptor.Kind) (end, other *endpoint.Conn) {
	t.Helper()
	x, y := newFakePipe(onWindows, r.serverProc, r.serverProc)
	x.number = r.serverProc.Open(descriptor.EndKind(descriptor.Unix))
	r.left++ // that of this pipe, which nobody closes
	end, other = paired(t, r.config(r.serverProc, sock.Stream), x, y)
	send(t, other, "f", r.open(r.serverProc, k, 3)...)
	return end, other
}

// sealed has the server write luggage of descriptors of that kind, whose message does not come as
// long as nobody reads.
func (r *rig) sealed(t *testing.T, k descriptor.Kind) (sent <-chan outcome) {
	t.Helper()
	end, other := laden(t, r, k)
	r.clientPipe.hold()
	r.clientPipe.limit(1)
	sent = start(func() (int, error) {
		defer other.Close()
		defer end.Close()
		return r.server.Send([]byte("m"), []transport.File{{End: end}}, nil)
	})
	time.Sleep(time.Second) // until the pipes are read
	r.pending(sent, "a send that has room for its luggage alone")
	return sent
}

// strand has the server write luggage whose message does not come, and the client read it.
func (r *rig) strand(t *testing.T, k descriptor.Kind) {
	t.Helper()
	sent := r.sealed(t, k)
	go r.server.CloseWrite()
	if o := <-sent; o.err != syscall.EPIPE {
		t.Fatal(o.err)
	}
	r.clientPipe.limit(0)
	r.clientPipe.letGo()
	synctest.Wait()
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
				end, other := laden(t, r, descriptor.File)
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
		end, other := laden(t, r, descriptor.File)
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
		end, other := laden(t, r, descriptor.File)
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
		r.strand(t, descriptor.File)
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

// carries gives the end on a pipe a descriptor, and returns a connection of its process over which
// the end can move, with the other end's pipe.
func (r *rig) carries(t *testing.T, p *simproc.Process, on *fakePipe) (carrier *endpoint.Conn, far *fakePipe) {
	t.Helper()
	on.number = p.Open(descriptor.EndKind(descriptor.Unix))
	r.left++ // that of this pipe, which nobody closes
	x, y := newFakePipe(onWindows, p, p)
	carrier, _ = paired(t, r.config(p, sock.Stream), x, y)
	return carrier, y
}

// The peer has the luggage, begins to move, and stays after all. It closes the luggage then, for
// its sender has left that to whoever moved.
func TestP4LuggageOfAPeerThatStays(t *testing.T) {
	stays := func(t *testing.T, r *rig) {
		t.Helper()
		carrier, far := r.carries(t, r.clientProc, r.clientPipe)
		far.limit(-1)
		carrier.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := carrier.Send([]byte("m"), []transport.File{{End: r.client}}, nil); n != 0 || err != os.ErrDeadlineExceeded {
			t.Fatal(n, err)
		}
		synctest.Wait()
	}
	for name, test := range map[string]func(t *testing.T, r *rig){
		"and is closed": func(t *testing.T, r *rig) {
			r.strand(t, descriptor.File)
			stays(t, r)
			r.client.Close()
		},
		"and is closed before that is heard": func(t *testing.T, r *rig) {
			r.strand(t, descriptor.File)
			r.serverPipe.hold()
			stays(t, r)
			r.client.Close()
			r.serverPipe.letGo()
		},
		"before the message is given up": func(t *testing.T, r *rig) {
			sent := r.sealed(t, descriptor.File)
			r.clientPipe.limit(-1)
			r.clientPipe.letGo()
			stays(t, r)
			go r.server.CloseWrite()
			if o := <-sent; o.err != syscall.EPIPE {
				t.Error(o.err)
			}
			r.clientPipe.limit(0)
			synctest.Wait()
			r.client.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
				test(t, r)
				time.Sleep(time.Minute)
				if n := r.extra(r.clientProc); n != 1 { // that of its pipe
					t.Errorf("%d descriptors are left in the peer", n-1)
				}
			})
		})
	}
}

// The sender of luggage whose message does not come moves, and the peer is closed before whoever
// has the end then says hello. He knows nothing of the luggage.
func TestP4LuggageOfASenderThatMoves(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.strand(t, descriptor.File)
		carrier, far := r.carries(t, r.serverProc, r.serverPipe)
		far.hold()
		sent := start(func() (int, error) { return carrier.Send([]byte("m"), []transport.File{{End: r.server}}, nil) })
		r.pending(sent, "a send that nobody acknowledges")
		if got := r.serverPipe.written(wire.Move); len(got) != 1 {
			t.Errorf("%+v has been written", got)
		}
		r.client.Close()
		time.Sleep(time.Minute)
		if n := r.extra(r.clientProc); n != 0 {
			t.Errorf("%d descriptors are left in the peer", n)
		}
		far.Close()
		far.letGo()
		<-sent
		r.left++ // what has been put into the process at the other end, which is this one
	})
}

// Sockets that are exported cannot be taken back. The peer closes those that came with luggage
// whose message does not come, and imports them for that: so they are open that long where they
// come from.
func TestP4SocketsInLuggageWhoseMessageDoesNotCome(t *testing.T) {
	read := func(r *rig) {
		r.clientPipe.limit(0)
		r.clientPipe.letGo()
		synctest.Wait()
	}
	for name, ends := range map[string]func(r *rig){
		"we shut down": func(r *rig) {
			go r.server.CloseWrite()
			synctest.Wait()
			read(r)
		},
		"we close": func(r *rig) {
			r.server.Close()
			read(r)
		},
		"the peer has read it, and closes": func(r *rig) {
			r.clientPipe.limit(-1)
			r.clientPipe.letGo()
			synctest.Wait()
			r.client.Close()
		},
		"both close at once": func(r *rig) {
			r.server.Close()
			synctest.Wait()
			r.clientPipe.limit(-1)
			r.clientPipe.letGo()
			synctest.Wait()
			r.client.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
				sent := r.sealed(t, descriptor.Stream)
				ends(r)
				if o := <-sent; o.n != 0 || o.err == nil {
					t.Errorf("%+v", o)
				}
				time.Sleep(time.Minute)
				if n := r.extra(r.clientProc); n != 0 {
					t.Errorf("%d descriptors are left in the peer", n)
				}
			})
		})
	}
}

// A message comes behind a goodbye for which there is never any room. Nobody else can close what
// came with the message.
func TestP4MessageBehindAGoodbyeThatIsNeverSaid(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		r.client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 1), nil); n != 1 || err != os.ErrDeadlineExceeded {
			t.Fatal(n, err) // for which the client goes on reading
		}
		r.serverPipe.limit(-1)
		r.client.Close()
		synctest.Wait()
		files := r.open(r.serverProc, descriptor.File, 3)
		sent := start(func() (int, error) { return r.server.Send([]byte("m"), files, nil) })
		time.Sleep(time.Minute)
		r.serverPipe.letGo()
		<-sent
		if n := r.extra(r.clientProc); n != 0 {
			t.Errorf("%d descriptors are left in the peer", n)
		}
	})
}

// Of a message that was stopped in the middle nothing more will be written. It does not keep its
// end from moving.
func TestAnEndMovesThatHasShutDownInTheMiddleOfARecord(t *testing.T) {
	bubble(t, onWindows, sock.Seqpacket, func(t *testing.T, r *rig) {
		carrier, far := r.carries(t, r.serverProc, r.serverPipe)
		r.clientPipe.hold()
		r.clientPipe.limit(1)
		sent := start(func() (int, error) { return r.server.Write(make([]byte, 100000)) })
		r.pending(sent, "a record that is partly written")
		go r.server.CloseWrite()
		if o := <-sent; o.n != 0 || o.err != syscall.EPIPE {
			t.Fatalf("%+v", o)
		}
		r.clientPipe.limit(0)
		r.clientPipe.letGo()
		far.hold()
		moved := start(func() (int, error) { return carrier.Send([]byte("m"), []transport.File{{End: r.server}}, nil) })
		r.pending(moved, "a send that nobody acknowledges")
		if got := r.serverPipe.written(wire.Move); len(got) != 1 {
			t.Errorf("%+v has been written", got)
		}
		far.Close()
		far.letGo()
		<-moved
		r.left++ // what has been put into the process at the other end, which is this one
	})
}

// A message comes behind a goodbye that waits for room, and then something else that is to be
// acknowledged. The acknowledgement would be for both, and is not said.
func TestP4NothingIsAcknowledgedBehindAGoodbye(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		r.client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 1), nil); n != 1 || err != os.ErrDeadlineExceeded {
			t.Fatal(n, err) // for which the client goes on reading
		}
		r.serverPipe.limit(-1)
		r.client.Close()
		synctest.Wait()
		files := r.open(r.serverProc, descriptor.File, 3)
		sent := start(func() (int, error) { return r.server.Send([]byte("m"), files, nil) })
		r.pending(sent, "a send that nobody looks at")
		go r.server.CloseRead()
		synctest.Wait()
		r.serverPipe.limit(0)
		r.serverPipe.letGo()
		if o := <-sent; o.n != 0 || o.err != syscall.EPIPE {
			t.Errorf("%+v, want EPIPE", o)
		}
		time.Sleep(time.Minute)
		if n := r.extra(r.clientProc); n != 0 {
			t.Errorf("%d descriptors are left in the peer", n)
		}
	})
}
