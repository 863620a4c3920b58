package endpoint_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A packet is written without the lock: what can happen before its writer is back.

// once is a hook that does something the first time, in the place of another goroutine: whoever
// calls it holds locks that are none of its business.
func once(do func()) func() {
	called := false
	return func() {
		if called {
			return
		}
		called = true
		done := make(chan struct{})
		go func() {
			defer close(done)
			do()
		}()
		<-done
	}
}

// The peer may be faster than the writer.
func TestAcknowledgementIsHereBeforeItsWriterIsBack(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.wrote = once(func() {
			synctest.Wait()
			if n := len(r.serverPipe.written(wire.Ack)); n != 1 {
				t.Errorf("%d acknowledgements", n)
			}
		})
		if n, err := r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 3), nil); n != 1 || err != nil {
			t.Errorf("send: %d, %v", n, err)
		}
		recv(t, r.server, "x", 3).Close()
	})
}

// What the reader has to say while somebody writes is said by him, when he is back. Nothing else
// waits for him.
func TestWriterPaysWhatIsOwedMeanwhile(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.wrote = once(func() {
			if err := r.server.SetWriteBuffer(sock.DefaultBuffer / 4); err != nil {
				t.Error(err)
			}
			send(t, r.server, "x")
			buf := make([]byte, 1)
			if n, err := r.client.Read(buf); n != 1 || err != nil {
				t.Errorf("read: %d, %v", n, err)
			}
			if err := r.client.SetReadDeadline(time.Now()); err != nil {
				t.Error(err)
			}
			if _, err := r.client.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a read with a deadline that has come: %v", err)
			}
			if err := r.client.SetReadDeadline(time.Time{}); err != nil {
				t.Error(err)
			}
			for range 500 { // worth a credit
				send(t, r.server, "x")
				if n, err := r.client.Read(buf); n != 1 || err != nil {
					t.Fatalf("read: %d, %v", n, err)
				}
			}
			if n := len(r.clientPipe.written(wire.Credit)); n != 0 {
				t.Errorf("%d credits from two writers at once", n)
			}
		})
		send(t, r.client, "y")
		synctest.Wait()
		if n := len(r.clientPipe.written(wire.Credit)); n != 1 {
			t.Errorf("%d credits, once the writer is back", n)
		}
		recv(t, r.server, "y", 0)
	})
}

// Close waits for whoever is writing: its goodbye is the last packet.
func TestGoodbyeComesBehindWhatIsBeingWritten(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		closed := make(chan error, 1)
		r.clientPipe.tried = once(func() {
			go func() { closed <- r.client.Close() }()
			synctest.Wait()
		})
		send(t, r.client, "the last word")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		recv(t, r.server, "the last word", 0)
		if n, err := r.server.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %d, %v", n, err)
		}
	})
}

// A message that has found no room is not under way: a peer that acknowledges it lies, whenever it
// does.
func TestP7AcknowledgedWhileItFindsNoRoom(t *testing.T) {
	for name, lie := range map[string]wire.Packet{
		"acknowledgement": {Type: wire.Ack, Serial: 1},
		"credit":          {Type: wire.Credit, Payload: wire.CreditBody{Consumed: sock.Cost(1), Rights: sock.RightsWindow}.Append(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
				r.clientPipe.tried = once(func() {
					r.clientPipe.set(func() {
						r.serverPipe.capacity = -1
						r.clientPipe.queue = append(r.clientPipe.queue, append(lie.AppendHead(nil), lie.Payload...))
					})
					synctest.Wait()
				})
				n, err := r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 1), nil)
				if n != 0 || err != syscall.EPIPE {
					t.Errorf("send: %d, %v; want EPIPE", n, err)
				}
				if _, err := r.client.Read(make([]byte, 1)); !errors.Is(err, syscall.EPROTO) {
					t.Errorf("read: %v, want EPROTO", err)
				}
				if n := len(r.clientPipe.written(wire.Data)); n != 0 {
					t.Errorf("%d packets of data", n)
				}
			})
		})
	}
}
