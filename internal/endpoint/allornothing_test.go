package endpoint_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// mixed is one file and one socket after another.
func (r *rig) mixed(p *simproc.Process) []transport.File {
	return append(r.open(p, descriptor.File, 2), append(r.open(p, descriptor.Stream, 2), r.open(p, descriptor.Pipe, 1)...)...)
}

// Whichever step of a send fails, nothing was written, nothing is left on either side, and the
// connection goes on.
func TestP4SendFailsAtEveryStep(t *testing.T) {
	for name, k := range map[string]kinship{"pull": onLinux, "push": {anybody, anybody, false}, "Windows": onWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, k, sock.Stream, func(t *testing.T, r *rig) {
				files := r.mixed(r.serverProc)
				injected := errors.New("injected")
				for step := 0; ; step++ {
					n := 0
					var failed simproc.Op
					r.serverProc.Inject(func(op simproc.Op) error {
						if n++; n == step+1 {
							failed = op
							return injected
						}
						return nil
					})
					written := len(r.serverPipe.written(wire.Data))
					sent, err := r.server.Send([]byte("x"), files, nil)
					r.serverProc.Inject(nil)
					if failed == "" {
						recv(t, r.client, "x", len(files)).Close()
						if step < len(files) {
							t.Errorf("only %d steps", step)
						}
						return
					}
					if failed == simproc.Export {
						return // see TestP4WhatWasExportedEndsTheConnection
					}
					var at *descriptor.IndexError
					if sent != 0 || !errors.Is(err, injected) || !errors.As(err, &at) || at.Index >= len(files) {
						t.Errorf("step %d (%s): sent %d, %v", step, failed, sent, err)
					}
					if a, b := r.extra(r.serverProc), r.extra(r.clientProc); a != 0 || b != 0 {
						t.Fatalf("step %d (%s): %d left in the sender, %d in the receiver", step, failed, a, b)
					}
					if len(r.serverPipe.written(wire.Data)) != written {
						t.Errorf("step %d (%s): something was written", step, failed)
					}
					send(t, r.server, "goes on")
					recv(t, r.client, "goes on", 0)
				}
			})
		})
	}
}

// Which descriptor was to blame is said, and a socket whose export is the first thing to fail has
// changed nothing.
func TestP4FirstExportFails(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.serverProc.Inject(func(op simproc.Op) error {
			if op == simproc.Export {
				return syscall.EACCES
			}
			return nil
		})
		n, err := r.server.Send([]byte("x"), r.mixed(r.serverProc), nil)
		var at *descriptor.IndexError
		if n != 0 || !errors.Is(err, syscall.EACCES) || !errors.As(err, &at) || at.Index != 2 {
			t.Errorf("%d, %v", n, err)
		}
		if a, b := r.extra(r.serverProc), r.extra(r.clientProc); a != 0 || b != 0 {
			t.Errorf("%d left in the sender, %d in the receiver", a, b)
		}
		r.serverProc.Inject(nil)
		send(t, r.server, "goes on")
		recv(t, r.client, "goes on", 0)
	})
}

// What cannot be taken back ends the connection if the message is not written after all.
func TestP4WhatWasExportedEndsTheConnection(t *testing.T) {
	for _, how := range []string{"second export fails", "deadline"} {
		t.Run(how, func(t *testing.T) {
			bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
				r.left = 2 // what may stay behind in the peer
				want := error(syscall.EACCES)
				if how == "deadline" {
					want = os.ErrDeadlineExceeded
					r.clientPipe.hold()
					r.clientPipe.limit(1)
					send(t, r.server, "fills the pipe")
					r.server.SetWriteDeadline(time.Now().Add(time.Second))
				} else {
					exports := 0
					r.serverProc.Inject(func(op simproc.Op) error {
						if op == simproc.Export {
							if exports++; exports == 2 {
								return syscall.EACCES
							}
						}
						return nil
					})
				}
				n, err := r.server.Send([]byte("x"), r.mixed(r.serverProc), nil)
				if n != 0 || !errors.Is(err, want) {
					t.Errorf("%d, %v, want %v", n, err, want)
				}
				if got := r.extra(r.serverProc); got != 0 {
					t.Errorf("%d copies are parked", got)
				}
				exported := r.extra(r.clientProc)
				r.serverProc.Inject(nil)
				r.clientPipe.limit(0)
				r.clientPipe.letGo()
				r.server.SetWriteDeadline(time.Time{})
				synctest.Wait()
				if exported == 0 {
					return // it was found out before anything was exported: better still
				}
				if _, err := r.server.Write([]byte("x")); err != syscall.EPIPE {
					t.Errorf("%d sockets stay behind in the peer, and the connection goes on: %v", exported, err)
				}
			})
		})
	}
}

// P4: that the peer is closed is found by writing before its goodbye has been read. What was pushed
// into it with a message that it has not looked at is taken back all the same. (Found by the
// simulator.)
func TestP4TakenBackThoughAWriteFindsTheEndFirst(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.hold()
		files := r.open(r.serverProc, descriptor.File, 3)
		sent := start(func() (int, error) { return r.server.Send([]byte("x"), files, nil) })
		r.pending(sent, "send that is not looked at")
		r.serverPipe.hold()
		r.client.Close()
		r.server.CloseWrite() // finds the pipe closed
		r.pending(sent, "send of which the pipe may still tell")
		r.serverPipe.letGo()
		if o := <-sent; o.n != 0 || o.err != syscall.EPIPE {
			t.Errorf("%+v, want EPIPE", o)
		}
		if n := r.extra(r.clientProc); n != 0 {
			t.Errorf("%d descriptors are left in the peer", n)
		}
	})
}

// A peer that has been killed is one that is gone, also if duplicating into its process finds that
// out before its end of the pipe has been read. (Found by internal/faults.)
func TestP4PushingIntoADeadPeerIsLikeWritingToIt(t *testing.T) {
	for typ, want := range map[sock.Type]error{sock.Stream: syscall.EPIPE, sock.Seqpacket: syscall.EPIPE, sock.Datagram: syscall.ECONNREFUSED} {
		for _, what := range []descriptor.Kind{descriptor.File, descriptor.Stream} {
			bubble(t, onWindows, typ, func(t *testing.T, r *rig) {
				files := r.open(r.serverProc, what, 3)
				r.clientProc.Kill()
				if n, err := r.server.Send([]byte("x"), files, nil); n != 0 || err != want {
					t.Errorf("type %d, kind %d: %d, %v; want %v", typ, what, n, err, want)
				}
			})
		}
	}
}

// P4: what was exported to a peer that turns out to be gone ends nothing: what the peer has said
// before can be read, and then comes its end. (Found by internal/faults.)
func TestP4ExportingToAPeerThatIsGoneLosesNothing(t *testing.T) {
	for _, finds := range []string{"export", "write"} {
		t.Run(finds, func(t *testing.T) {
			bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
				r.left = 2 // this client lives on
				r.serverPipe.hold()
				send(t, r.client, "last words")
				r.clientPipe.Close()
				exports := 0
				r.serverProc.Inject(func(op simproc.Op) error {
					if op == simproc.Export {
						if exports++; exports == 2 && finds == "export" {
							r.left = 1
							return syscall.ESRCH
						}
					}
					return nil
				})
				if n, err := r.server.Send([]byte("x"), r.mixed(r.serverProc), nil); n != 0 || err != syscall.EPIPE {
					t.Errorf("%d, %v, want EPIPE", n, err)
				}
				r.serverPipe.letGo()
				recv(t, r.server, "last words", 0)
				if n, err := r.server.Read(make([]byte, 9)); n != 0 || err != io.EOF {
					t.Errorf("%d, %v, want the end", n, err)
				}
			})
		})
	}
}

// Rows 10, 15, 147: what cannot be sent changes nothing.
func TestP6WhatCannotBeSent(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := dialled(t, sock.Stream)
	f := file(t)
	bad := transport.File{Value: 1 << 20} // the value of one that has been closed might be another one's by now
	if n, err := client.Send([]byte("x"), []transport.File{f, bad}, nil); n != 0 || !errors.Is(err, syscall.EBADF) {
		t.Errorf("a descriptor that is not open: %d, %v, want EBADF", n, err)
	}
	if n, err := client.Send(nil, []transport.File{f}, nil); n != 0 || err != syscall.EINVAL {
		t.Errorf("descriptors without data: %d, %v, want EINVAL", n, err)
	}
	if n, err := client.Send([]byte("x"), nil, client.LocalAddr()); n != 0 || err != syscall.EISCONN {
		t.Errorf("to somebody else: %d, %v, want EISCONN", n, err)
	}
	send(t, client, "nothing has happened", f)
	recv(t, server, "nothing has happened", 1).Close()
}

// A record goes whole or not at all.
func TestRecordCount(t *testing.T) {
	bubble(t, onLinux, sock.Seqpacket, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		r.serverPipe.limit(1)
		done := start(func() (int, error) { return r.client.Write(make([]byte, 200000)) })
		synctest.Wait()
		r.serverPipe.Close()
		if o := <-done; o.n != 0 {
			t.Errorf("%d bytes of a record were written, %v", o.n, o.err)
		}
	})
}
