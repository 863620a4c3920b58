package endpoint_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
)

// A peer that does nothing holds up a bequest no longer than the end's write deadline; then the end is what it was.
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
