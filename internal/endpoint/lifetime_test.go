package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/wire"
)

// When a send has returned, the descriptors arrive, whatever becomes of the sender: it closes them,
// its socket, or dies.
func TestP3RightsSurviveTheSender(t *testing.T) {
	for name, k := range map[string]kinship{"as on Linux": onLinux, "as on Windows": onWindows} {
		for _, accepted := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, accepted %t", name, accepted), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, sock.Stream)
					defer r.end()
					if accepted {
						r.connect(k, sock.Stream)
					} else {
						r.serverPipe, r.clientPipe = newFakePipe(k, r.serverProc, r.clientProc)
						r.source.pipes <- r.serverPipe
						c, err := endpoint.Dial(context.Background(), r.clientPipe, r.config(r.clientProc, sock.Stream))
						if err != nil {
							t.Fatal(err)
						}
						r.client = c
					}
					files := r.open(r.clientProc, descriptor.File, 2)
					what := r.clientProc.Refers(files[0].Value)
					send(t, r.client, "inheritance", files...)
					r.clientProc.Kill()
					r.clientPipe.Close()
					if !accepted {
						c, err := r.listener.Accept()
						if err != nil {
							t.Fatal(err)
						}
						r.server = c.(*endpoint.Conn)
					}
					set := recv(t, r.server, "inheritance", 2)
					v, _, err := set.Take(0)
					if err != nil || r.serverProc.Refers(v) != what {
						t.Errorf("%#x is not what was sent, %v", v, err)
					}
					r.serverProc.Close(v, descriptor.File)
					set.Close()
					if _, err := r.server.Read(make([]byte, 9)); err != io.EOF {
						t.Errorf("%v, want EOF", err)
					}
				})
			})
		}
	}
}

// The same on the real pipe: socket and file are closed as soon as the send has returned.
func TestP3RightsSurviveClose(t *testing.T) {
	testenv.NeedPipeRights(t)
	l, path := listen(t, sock.Stream, 0)
	client := dial(t, sock.Stream, path)
	f := file(t)
	send(t, client, "x", f)
	if err := descriptor.System.Close(f.Value, descriptor.File); err != nil {
		t.Log("closed under the os.File:", err)
	}
	client.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	recv(t, c.(*endpoint.Conn), "x", 1).Close()
	if _, err := c.Read(make([]byte, 9)); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
}

// The send returns on the acknowledgement: before it, the copies are parked; after it, they are
// gone.
func TestP3SendReturnsOnTheAcknowledgement(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		files := r.open(r.clientProc, descriptor.File, 3)
		done := start(func() (int, error) { return r.client.Send([]byte("x"), files, nil) })
		r.pending(done, "a send whose message nobody has")
		if got := r.extra(r.clientProc); got != 3 {
			t.Errorf("%d copies are parked, want 3", got)
		}
		r.clientPipe.hold()
		r.serverPipe.letGo()
		r.pending(done, "a send whose acknowledgement is under way")
		if got := r.extra(r.serverProc); got != 3 {
			t.Errorf("%d descriptors have been adopted ahead of the reader, want 3", got)
		}
		r.clientPipe.letGo()
		if o := <-done; o.n != 1 || o.err != nil {
			t.Errorf("%+v", o)
		}
		if got := r.extra(r.clientProc); got != 0 {
			t.Errorf("%d copies are still parked", got)
		}
		recv(t, r.server, "x", 3).Close()
	})
}

// A deadline before the packet is in the pipe: nothing has happened, in bytes or descriptors.
func TestP3DeadlineBeforeThePacketIsInThePipe(t *testing.T) {
	for name, k := range map[string]kinship{"as on Linux": onLinux, "as on Windows": onWindows} {
		for _, why := range []string{"pipe full", "window full", "no rights granted", "expired before"} {
			t.Run(name+", "+why, func(t *testing.T) {
				bubble(t, k, sock.Stream, func(t *testing.T, r *rig) {
					wait := time.Second
					filler := 0
					files := r.open(r.clientProc, descriptor.File, 200)
					switch why {
					case "pipe full":
						r.serverPipe.hold()
						r.serverPipe.limit(1)
						filler, _ = r.client.Write([]byte("fills the pipe"))
					case "window full":
						filler = fillWindow(t, r.client)
					case "no rights granted":
						r.client.SetWriteDeadline(time.Now().Add(time.Second))
						for {
							n, err := r.client.Send([]byte("x"), files, nil)
							if err != nil {
								break
							}
							filler += n
						}
					case "expired before":
						wait = -time.Second
					}
					parked, pushed := r.extra(r.clientProc), r.extra(r.serverProc)
					data := len(r.clientPipe.written(wire.Data))
					r.client.SetWriteDeadline(time.Now().Add(wait))
					n, err := r.client.Send([]byte("x"), files, nil)
					if n != 0 || err != os.ErrDeadlineExceeded {
						t.Errorf("sent %d, %v", n, err)
					}
					if a, b := r.extra(r.clientProc)-parked, r.extra(r.serverProc)-pushed; a != 0 || b != 0 {
						t.Errorf("%d copies are parked, %d in the peer", a, b)
					}
					if got := len(r.clientPipe.written(wire.Data)); got != data {
						t.Errorf("%d packets were written", got-data)
					}
					r.client.SetWriteDeadline(time.Time{})
					r.serverPipe.limit(0)
					r.serverPipe.letGo()
					full(t, readAll{r.server}, filler)
					send(t, r.client, "goes on", files[:2]...)
					recv(t, r.server, "goes on", 2).Close()
				})
			})
		}
	}
}

// readAll reads, whatever descriptors come along.
type readAll struct{ *endpoint.Conn }

// fillWindow writes until no message can begin, and returns how much.
func fillWindow(t *testing.T, c *endpoint.Conn) (n int) {
	t.Helper()
	c.SetWriteDeadline(time.Now().Add(time.Millisecond))
	n, err := c.Write(make([]byte, 4<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(n, err)
	}
	return n
}

// A deadline after the packet is in the pipe: the send returns its length and says that time is up;
// the copies stay parked until the acknowledgement, or until the end of the connection.
func TestP3DeadlineAfterThePacketIsInThePipe(t *testing.T) {
	for _, how := range []string{"acknowledged later", "the peer closes", "the peer dies", "we close, then acknowledged", "we close, never acknowledged"} {
		t.Run(how, func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				r.serverPipe.hold()
				files := r.open(r.clientProc, descriptor.File, 3)
				r.client.SetWriteDeadline(time.Now().Add(time.Second))
				n, err := r.client.Send([]byte("message"), files, nil)
				if n != len("message") || err != os.ErrDeadlineExceeded {
					t.Fatalf("sent %d, %v", n, err)
				}
				time.Sleep(10 * time.Minute)
				if got := r.extra(r.clientProc); got != 3 {
					t.Fatalf("%d copies are parked ten minutes later, want 3", got)
				}
				switch how {
				case "acknowledged later":
					r.serverPipe.letGo()
					recv(t, r.server, "message", 3).Close()
				case "the peer closes":
					r.server.Close()
				case "the peer dies":
					r.serverPipe.Close()
				case "we close, then acknowledged":
					if err := r.client.Close(); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
					if got := r.extra(r.clientProc); got != 3 {
						t.Errorf("%d copies are parked while the connection lingers, want 3", got)
					}
					r.serverPipe.letGo()
					recv(t, r.server, "message", 3).Close()
					time.Sleep(time.Second)
					if !r.clientPipe.isClosed() {
						t.Error("nothing is under way, and the pipe is open still")
					}
				case "we close, never acknowledged":
					if err := r.client.Close(); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Minute)
					if !r.clientPipe.isClosed() {
						t.Error("it lingers for ever")
					}
				}
				synctest.Wait()
				if got := r.extra(r.clientProc); got != 0 {
					t.Errorf("%d copies are parked at the end", got)
				}
			})
		})
	}
}

// The same while a Read waits on the pipe, which Close interrupts: somebody must still be there for
// the acknowledgement.
func TestP3CloseWithAReaderStillAwaitsTheAcknowledgement(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		for range 2 { // so that the Read waits on the pipe itself
			got := start(func() (int, error) { return r.client.Read(make([]byte, 9)) })
			r.pending(got, "a read of nothing")
			send(t, r.server, "x")
			<-got
		}
		reading := start(func() (int, error) { return r.client.Read(make([]byte, 9)) })
		r.pending(reading, "a read of nothing")
		r.serverPipe.hold()
		r.client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil); n != 1 || err != os.ErrDeadlineExceeded {
			t.Fatal(n, err)
		}
		r.client.Close()
		if o := <-reading; o.err != net.ErrClosed {
			t.Errorf("%+v", o)
		}
		r.serverPipe.letGo()
		recv(t, r.server, "x", 3).Close()
		time.Sleep(time.Second)
		if got := r.extra(r.clientProc); got != 0 || !r.clientPipe.isClosed() {
			t.Errorf("a second after the acknowledgement %d copies are parked, pipe closed: %t", got, r.clientPipe.isClosed())
		}
	})
}

// Row 52: closing a socket closes what nobody received, adopted or not.
func TestP3CloseClosesWhatNobodyReceived(t *testing.T) {
	for name, k := range map[string]kinship{"as on Linux": onLinux, "as on Windows": onWindows} {
		for _, arrived := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, arrived %t", name, arrived), func(t *testing.T) {
				bubble(t, k, sock.Stream, func(t *testing.T, r *rig) {
					if !arrived {
						r.serverPipe.hold()
					}
					files := r.open(r.clientProc, descriptor.File, 3)
					sent := start(func() (int, error) { return r.client.Send([]byte("x"), files, nil) })
					synctest.Wait()
					r.server.Close()
					if !arrived {
						r.serverPipe.letGo()
					}
					o := <-sent
					if (o.err == nil) != arrived || !arrived && o.err != syscall.EPIPE {
						t.Errorf("%+v", o)
					}
					time.Sleep(time.Minute)
					if a, b := r.extra(r.clientProc), r.extra(r.serverProc); a != 0 || b != 0 {
						t.Errorf("left: %d in the sender, %d in the receiver", a, b)
					}
				})
			})
		}
	}
}

// A receiver that has no room for the descriptors closes all of them, and says so beside the data;
// the connection goes on.
func TestP3ReceiverOutOfDescriptors(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverProc.Limit(2)
		send(t, r.client, "lost", r.open(r.clientProc, descriptor.File, 3)...)
		r.truncated("lost")
		if got := r.serverProc.Len(); got != 0 {
			t.Errorf("%d descriptors are left", got)
		}
		send(t, r.client, "kept", r.open(r.clientProc, descriptor.File, 2)...)
		recv(t, r.server, "kept", 2).Close()
	})
}

// What is peeked at while there is no room for duplicates is reported, and not lost.
func TestPeekWithoutRoomForDuplicates(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		send(t, r.client, "x", r.open(r.clientProc, descriptor.File, 3)...)
		r.serverProc.Limit(5)
		if m, err := r.server.Recv(make([]byte, 9), true); m.N != 1 || !errors.Is(err, descriptor.ErrRightsTruncated) {
			t.Errorf("%+v, %v", m, err)
		}
		recv(t, r.server, "x", 3).Close()
	})
}

// A sender that dies before anybody took its descriptors, in a send that has not returned: the
// receiver is told that they are missing, and reads what was written behind them, as in the kernel.
func TestP3SenderDiesBeforeTheMessageIsAdopted(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		sent := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 1), nil) })
		r.pending(sent, "a send that nobody acknowledges")
		send(t, r.client, "written meanwhile")
		r.clientProc.Kill()
		r.clientPipe.Close()
		r.serverPipe.letGo()
		r.truncated("x")
		recv(t, r.server, "written meanwhile", 0)
		if n, err := r.server.Read(make([]byte, 9)); n != 0 || err != io.EOF {
			t.Errorf("%d, %v, want EOF", n, err)
		}
		if o := <-sent; o.err == nil {
			t.Errorf("%+v", o)
		}
	})
}

// A connection that has been accepted takes as many descriptors ahead of its reader as any other.
func TestP3AcceptedConnectionTakesTheFullRightsWindow(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.client.SetWriteDeadline(time.Now().Add(time.Minute))
		files := r.open(r.clientProc, descriptor.File, descriptor.Max)
		for i := range sock.RightsWindow / descriptor.Max {
			if n, err := r.client.Send([]byte("x"), files, nil); err != nil {
				t.Fatalf("full message %d: %d, %v", i, n, err)
			}
		}
	})
}

// What strangers may make a listener hold before it accepts them is bounded; the rest is taken once
// they are accepted.
func TestP3PendingConnectionsHoldFewDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		const clients = 20
		files := r.open(r.clientProc, descriptor.File, 253)
		var sent []<-chan outcome
		for range clients {
			s, c := newFakePipe(onLinux, r.serverProc, r.clientProc)
			r.source.pipes <- s
			conn, err := endpoint.Dial(context.Background(), c, r.config(r.clientProc, sock.Stream))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			sent = append(sent, start(func() (int, error) {
				if n, err := conn.Send([]byte("x"), files, nil); err != nil {
					return n, err
				}
				return conn.Send([]byte("y"), files, nil)
			}))
		}
		synctest.Wait()
		if got, bound := r.extra(r.serverProc), 16*253; got > bound || got < 253 {
			t.Errorf("%d descriptors are held for connections that nobody accepted, want at most %d", got, bound)
		}
		for range clients {
			c, err := r.listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.SetDeadline(time.Now().Add(time.Minute))
			recv(t, c.(*endpoint.Conn), "x", 253).Close()
			recv(t, c.(*endpoint.Conn), "y", 253).Close()
			c.Close()
		}
		for _, s := range sent {
			if o := <-s; o.err != nil {
				t.Errorf("%+v", o)
			}
		}
	})
}
