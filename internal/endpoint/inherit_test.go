package endpoint_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
)

// A peer that does nothing holds up a bequest no longer than the end's write deadline; then the end
// is what it was.
func TestABequestHasADeadline(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.hold() // what the server says does not arrive
		r.server.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := r.server.Bequeath(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%v, want os.ErrDeadlineExceeded", err)
		}
		r.clientPipe.letGo()
		r.server.SetWriteDeadline(time.Time{})
		send(t, r.server, "still here", r.open(r.serverProc, descriptor.File, 1)...)
		recv(t, r.client, "still here", 1).Close()
	})
}

// Descriptors wait for whoever has the other end next, but not for ever; and if its owner keeps it
// after all, they go to him. Whatever else is done to this end meanwhile waits for nobody.
func TestThePeerOfABequest(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.number, r.clientPipe.number = 1, 2
		b, err := r.server.Bequeath()
		if err != nil {
			t.Fatal(err)
		}
		files := r.open(r.clientProc, descriptor.File, 1)
		begun := time.Now()
		if _, err := r.client.Write([]byte("data")); err != nil {
			t.Error(err)
		}
		if err := r.client.SetPassCredentials(true); err != nil {
			t.Error(err)
		}
		own, err := r.client.Bequeath()
		if err != nil {
			t.Fatal(err)
		}
		own.Keep()
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("all this has waited for %v", waited)
		}
		n, err := r.client.Send([]byte("x"), files, nil)
		if waited := time.Since(begun); n != 0 || err != syscall.EAGAIN || waited != 10*time.Second {
			t.Errorf("Send = %d, %v after %v; want EAGAIN after ten seconds", n, err, waited)
		}
		b.Keep()
		recv(t, r.server, "data", 0)
		if _, err := r.client.Send([]byte("file"), files, nil); err != nil {
			t.Error(err)
		}
		recv(t, r.server, "file", 1).Close()
		send(t, r.server, "file", r.open(r.serverProc, descriptor.File, 1)...)
		recv(t, r.client, "file", 1).Close()
	})
}
