package endpoint_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Two sides that both send descriptors into full queues both come back: nobody stops reading the
// pipe.
func TestP5BothSidesSendIntoFullPipes(t *testing.T) {
	for name, k := range map[string]kinship{"as on Linux": onLinux, "as on Windows": onWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, k, sock.Stream, func(t *testing.T, r *rig) {
				r.serverPipe.limit(1)
				r.clientPipe.limit(1)
				const rounds = 100
				flood := func(c *endpoint.Conn, files []transport.File) <-chan outcome {
					return start(func() (int, error) {
						for i := range rounds {
							if n, err := c.Send([]byte("x"), files, nil); err != nil {
								return i, fmt.Errorf("%d: %w", n, err)
							}
						}
						return rounds, nil
					})
				}
				a := flood(r.server, r.open(r.serverProc, descriptor.File, 3))
				b := flood(r.client, r.open(r.clientProc, descriptor.File, 3))
				for _, done := range []<-chan outcome{a, b} {
					if o := <-done; o.err != nil {
						t.Errorf("%+v", o)
					}
				}
				for range rounds {
					recv(t, r.server, "x", 3).Close()
					recv(t, r.client, "x", 3).Close()
				}
			})
		})
	}
}

// Two sides that both write more than fits, and read later, both come back, in a pipe of one
// packet.
func TestP5BothSidesWriteThenRead(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.serverPipe.limit(1)
		r.clientPipe.limit(1)
		const n = 3 << 20
		var done []<-chan outcome
		for _, c := range []*endpoint.Conn{r.server, r.client} {
			done = append(done, start(func() (int, error) { return c.Write(make([]byte, n)) }))
		}
		r.pending(done[0], "a write of more than fits")
		for _, c := range []*endpoint.Conn{r.client, r.server} {
			full(t, c, n)
		}
		for _, d := range done {
			if o := <-d; o.n != n || o.err != nil {
				t.Errorf("%+v", o)
			}
		}
	})
}

// A writer does not run away from a peer that reads nothing: what is under way is bounded by the
// window, in bytes and in descriptors.
func TestP5WhatIsUnderWayIsBounded(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.client.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := r.client.Write(make([]byte, 4<<20))
		if n > sock.MaxWindow+wire.MaxPacket || n < sock.DefaultWindow/2 || !isTimeout(err) {
			t.Errorf("wrote %d into a window of %d, %v", n, sock.DefaultWindow, err)
		}
		r.server.SetWriteDeadline(time.Now().Add(time.Second))
		files := r.open(r.serverProc, descriptor.File, 100)
		sent := 0
		for err = nil; err == nil; sent++ {
			_, err = r.server.Send([]byte("x"), files, nil)
		}
		if sent-1 != sock.RightsWindow/100 || !isTimeout(err) {
			t.Errorf("%d messages of 100 descriptors went, %v", sent-1, err)
		}
		if got := r.extra(r.clientProc); got > sock.RightsWindow {
			t.Errorf("%d descriptors were adopted ahead of the reader", got)
		}
	})
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// A window that is made smaller after much has been read does not hold up its writer for ever.
func TestP5SmallerWindowDoesNotHoldUpTheWriter(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		const n = 50000 // less than what is worth a credit packet
		if _, err := r.client.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		full(t, r.server, n)
		if err := r.client.SetWriteBuffer(4096); err != nil {
			t.Fatal(err)
		}
		r.client.SetWriteDeadline(time.Now().Add(time.Minute))
		if _, err := r.client.Write([]byte("more")); err != nil {
			t.Errorf("everything has been read, and a write says %v", err)
		}
	})
}
