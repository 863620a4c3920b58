package endpoint_test

import (
	"syscall"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// Admin packets are marked, run in the same pipe, and are taken in while data is stuck and the user
// reads nothing.
func TestS6AdminPacketsAreNeverStuckBehindData(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		stuck := start(func() (int, error) { return r.client.Write(make([]byte, 2<<20)) })
		r.pending(stuck, "a write beyond the window")
		// The server reads nothing, and its own message with descriptors is acknowledged all the
		// same, and its shutdown seen.
		send(t, r.server, "x", r.open(r.serverProc, descriptor.File, 1)...)
		if err := r.server.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if o := <-stuck; o.err != syscall.EPIPE {
			t.Errorf("%+v, want EPIPE", o)
		}
		recv(t, r.client, "x", 1).Close()
		for _, p := range []*fakePipe{r.serverPipe, r.clientPipe} {
			for _, packet := range p.written(0) {
				if packet.Type.Admin() == (packet.Type == wire.Data) {
					t.Errorf("packet of type %#x", packet.Type)
				}
			}
		}
	})
}

// What the transport owes is written before any data that waits for the same room.
func TestS6AdminPacketsGoFirst(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.hold()
		r.serverPipe.limit(1)
		if _, err := r.client.Write([]byte("fills the pipe")); err != nil {
			t.Fatal(err)
		}
		stuck := start(func() (int, error) { return r.client.Write([]byte("waits")) })
		r.pending(stuck, "a write to a full pipe")
		sent := start(func() (int, error) {
			return r.server.Send([]byte("y"), r.open(r.serverProc, descriptor.File, 1), nil)
		})
		r.pending(sent, "a send that nobody can acknowledge")
		r.serverPipe.limit(0)
		r.serverPipe.letGo()
		if o := <-stuck; o.err != nil {
			t.Errorf("%+v", o)
		}
		if o := <-sent; o.err != nil {
			t.Errorf("%+v", o)
		}
		all := r.clientPipe.written(0)
		if got := all[len(all)-2].Type; got != wire.Ack {
			t.Errorf("type %#x came before the data that waited, want the acknowledgement", got)
		}
		recv(t, r.client, "y", 1).Close()
		recv(t, r.server, "fills the pipewaits", 0)
	})
}
