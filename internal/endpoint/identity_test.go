package endpoint_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/cred"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
)

// Credentials are what the system says of the process that said hello, and the proof in the hello
// is only a hint to it.
func TestP2IdentityIsTheSystemsWord(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		for _, tt := range []struct {
			conn  *endpoint.Conn
			pipe  *fakePipe
			pid   int
			proof string
		}{{r.server, r.serverPipe, 200, "client"}, {r.client, r.clientPipe, 100, "server"}} {
			if who, err := tt.conn.PeerCredentials(); err != nil || who.PID != tt.pid {
				t.Errorf("peer is %+v, %v, want PID %d", who, err, tt.pid)
			}
			if len(tt.pipe.proofs) != 1 || string(tt.pipe.proofs[0]) != tt.proof {
				t.Errorf("identified by %q, want once by %q", tt.pipe.proofs, tt.proof)
			}
		}
	})
}

// A client that cannot show that it is the process which it named gets no further.
func TestP2WhoCannotProveItselfIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		r.serverPipe, r.clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
		r.serverPipe.unproved = true
		r.source.pipes <- r.serverPipe
		client, err := endpoint.Dial(context.Background(), r.clientPipe, r.config(r.clientProc, sock.Stream))
		if err != nil {
			t.Fatal(err)
		}
		r.client = client
		if c, err := r.listener.Accept(); err != nil {
			t.Fatal(err)
		} else {
			r.server = c.(*endpoint.Conn)
		}
		if _, err := r.server.Read(make([]byte, 9)); !errors.Is(err, syscall.EPROTO) {
			t.Errorf("%v, want EPROTO", err)
		}
	})
}

// A process that the system cannot name, or whose proof is wrong, is no peer, on either side.
func TestP2UnknownProcessIsRefused(t *testing.T) {
	for _, side := range []string{"server", "client"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				r.serverPipe, r.clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
				want := error(syscall.ECONNREFUSED)
				if side == "server" {
					r.serverPipe.identify = syscall.EACCES
				} else {
					r.clientPipe.identify, want = syscall.EACCES, syscall.EACCES
				}
				r.source.pipes <- r.serverPipe
				if _, err := endpoint.Dial(context.Background(), r.clientPipe, r.config(r.clientProc, sock.Stream)); err != want {
					t.Errorf("%v, want %v", err, want)
				}
			})
		})
	}
}

// Authorize sees whom the system names, on both sides, before any byte of the user's moves.
func TestAuthorizeRefuses(t *testing.T) {
	refusal := errors.New("not you")
	for _, side := range []string{"server", "client"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sock.Stream)
				defer r.end()
				var asked []int
				refuse := func(who cred.Credentials) error { asked = append(asked, who.PID); return refusal }
				config := r.config(r.clientProc, sock.Stream)
				want, pid := error(syscall.ECONNREFUSED), 200
				if side == "server" {
					r.listener.Close()
					r.source = newFakeSource()
					cfg := r.config(r.serverProc, sock.Stream)
					cfg.Authorize = refuse
					r.listener = endpoint.Listen(r.source, cfg, 0)
				} else {
					config.Authorize, want, pid = refuse, refusal, 100
				}
				r.serverPipe, r.clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
				r.source.pipes <- r.serverPipe
				if c, err := endpoint.Dial(context.Background(), r.clientPipe, config); c != nil || !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
				if !slices.Equal(asked, []int{pid}) {
					t.Errorf("asked about %v, want %d", asked, pid)
				}
				if !r.clientPipe.isClosed() {
					t.Error("the refused client's pipe is open")
				}
				synctest.Wait()
				if side == "client" {
					return // the server has a connection that ends at once
				}
				r.listener.SetDeadline(time.Now())
				if c, err := r.listener.Accept(); err == nil {
					t.Errorf("a refused connection was accepted: %v", c)
				}
				if !r.serverPipe.isClosed() {
					t.Error("the refusing server's pipe is open")
				}
			})
		})
	}
}

// Row 22, row 66, row 71: credentials come with what was sent after somebody asked for them.
func TestP6PassCredentials(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := dialled(t, sock.Stream)
	send(t, client, "before")
	if err := server.SetPassCredentials(true); err != nil {
		t.Fatal(err)
	}
	send(t, client, "after", file(t))
	buf := make([]byte, 99)
	m, err := server.Recv(buf, false)
	if err != nil || string(buf[:m.N]) != "before" || m.Credentials == nil || m.Credentials.PID != 0 {
		t.Errorf("%q, %+v, %v", buf[:m.N], m.Credentials, err)
	}
	m, err = server.Recv(buf, false)
	if err != nil || string(buf[:m.N]) != "after" || m.Credentials == nil || m.Credentials.PID != os.Getpid() || m.Rights.Len() != 1 {
		t.Errorf("%q, %+v, %v", buf[:m.N], m.Credentials, err)
	}
	m.Rights.Close()
	if err := server.SetPassCredentials(false); err != nil {
		t.Fatal(err)
	}
	send(t, client, "off")
	if m, err = server.Recv(buf, false); err != nil || m.Credentials != nil {
		t.Errorf("%+v, %v", m.Credentials, err)
	}
}
