package endpoint_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/simproc"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
)

// Rows 151, 152, 157: half-closes.
func TestP6HalfClose(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := dialled(t, sock.Stream)
	send(t, client, "last words", file(t))
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil { // row 153
		t.Error(err)
	}
	if _, err := client.Write([]byte("x")); err != syscall.EPIPE {
		t.Errorf("own write: %v, want EPIPE", err)
	}
	recv(t, server, "last words", 1).Close()
	for range 2 {
		if _, err := server.Read(make([]byte, 9)); err != io.EOF {
			t.Errorf("%v, want EOF", err)
		}
	}
	send(t, server, "the other direction works", file(t))
	recv(t, client, "the other direction works", 1).Close()

	send(t, server, "queued")
	if err := client.CloseRead(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("x")); err != syscall.EPIPE {
		t.Errorf("the peer's first write after CloseRead: %v, want EPIPE", err)
	}
	if _, err := server.Send([]byte("x"), []transport.File{file(t)}, nil); err != syscall.EPIPE {
		t.Errorf("row 24: %v, want EPIPE", err)
	}
	recv(t, client, "queued", 0)
	if _, err := client.Read(make([]byte, 9)); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
}

// Row 154: data first, then ECONNRESET once, then the end; sending is EPIPE. Row 157: without
// anything unread there is no reset.
func TestP6CloseWithUnreadInput(t *testing.T) {
	testenv.NeedPipeRights(t)
	for _, unread := range []bool{true, false} {
		t.Run(fmt.Sprintf("unread %t", unread), func(t *testing.T) {
			server, client := dialled(t, sock.Stream)
			if unread {
				send(t, client, "never read", file(t))
			}
			send(t, server, "queued")
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			recv(t, client, "queued", 0)
			if unread {
				if _, err := client.Read(make([]byte, 9)); err != syscall.ECONNRESET {
					t.Errorf("%v, want ECONNRESET", err)
				}
			}
			for range 2 {
				if _, err := client.Read(make([]byte, 9)); err != io.EOF {
					t.Errorf("%v, want EOF", err)
				}
			}
			if _, err := client.Write([]byte("x")); err != syscall.EPIPE {
				t.Errorf("%v, want EPIPE", err)
			}
			if _, err := client.Write(nil); err != syscall.EPIPE {
				t.Errorf("row 138: %v, want EPIPE", err)
			}
		})
	}
}

// slowTable is a table whose second Matches waits.
type slowTable struct {
	*simproc.Process
	n    int
	gate chan struct{}
}

func (s *slowTable) Matches(v uintptr, k descriptor.Kind) (bool, error) {
	if s.n++; s.n == 2 {
		<-s.gate
	}
	return s.Process.Matches(v, k)
}

// slowPipe is a pipe whose ReadNow waits.
type slowPipe struct {
	*fakePipe
	gate chan struct{}
}

func (p *slowPipe) ReadNow(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	<-p.gate
	return p.fakePipe.ReadNow(pool, into)
}

// A Read that is taking in what else there is when its end is closed does not return bytes whose
// descriptors have been discarded for that.
func TestCloseWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		r.serverPipe, r.clientPipe = newFakePipe(onLinux, r.serverProc, r.clientProc)
		slow := &slowPipe{fakePipe: r.serverPipe, gate: make(chan struct{})}
		r.source.pipes <- slow
		var err error
		if r.client, err = endpoint.Dial(context.Background(), r.clientPipe, r.config(r.clientProc, sock.Stream)); err != nil {
			t.Fatal(err)
		}
		close(slow.gate) // Accept looks, too
		c, err := r.listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r.server = c.(*endpoint.Conn)
		send(t, r.client, "plain")
		synctest.Wait()
		slow.gate = make(chan struct{})
		reading := start(func() (int, error) { return r.server.Read(make([]byte, 99)) })
		r.pending(reading, "a read that takes in what else there is")
		sending := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 1), nil) })
		closing := start(func() (int, error) { return 0, r.server.Close() })
		synctest.Wait()
		close(slow.gate)
		if o := <-reading; o.n != 0 || o.err != net.ErrClosed {
			t.Errorf("read: %+v, want that it is closed", o)
		}
		<-sending
		<-closing
	})
}

// What the goodbye gives back to the peer must not be closed here, too.
func TestCloseWhileAdopting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		slow := &slowTable{Process: r.clientProc, gate: make(chan struct{})}
		r.serverPipe, r.clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
		r.source.pipes <- r.serverPipe
		var err error
		r.client, err = endpoint.Dial(context.Background(), r.clientPipe, endpoint.Config{Type: sock.Stream, Table: slow})
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r.server = c.(*endpoint.Conn)
		synctest.Wait()
		r.serverPipe.hold() // the client's message stays under way, so that Close does not drain
		sending := start(func() (int, error) { return r.client.Send([]byte("x"), r.open(r.clientProc, descriptor.File, 1), nil) })
		synctest.Wait()
		back := start(func() (int, error) { return r.server.Send([]byte("y"), r.open(r.serverProc, descriptor.File, 2), nil) })
		synctest.Wait() // the client's reader is in the middle of adopting two
		closed := start(func() (int, error) { return 0, r.client.Close() })
		synctest.Wait()
		r.serverPipe.letGo() // the server sees the goodbye, and takes back what it pushed
		synctest.Wait()
		<-sending
		close(slow.gate)
		<-back
		<-closed
		r.server.Close()
		r.listener.Close()
		time.Sleep(time.Minute)
		for _, f := range append(r.clientProc.Faults(), r.serverProc.Faults()...) {
			t.Error(f)
		}
	})
}

// Nobody acknowledges anything after a goodbye.
func TestCloseReadAfterGoodbye(t *testing.T) {
	bubble(t, onLinux, sock.Stream, func(t *testing.T, r *rig) {
		r.clientPipe.hold()
		r.server.SetWriteDeadline(time.Now().Add(time.Second))
		r.server.Send([]byte("x"), r.open(r.serverProc, descriptor.File, 1), nil)
		r.server.Close() // lingers
		r.serverPipe.hold()
		r.clientPipe.letGo()
		synctest.Wait()
		begin := time.Now()
		if err := r.client.CloseRead(); err != nil || time.Since(begin) > 0 {
			t.Errorf("CloseRead took %v, %v", time.Since(begin), err)
		}
		r.serverPipe.letGo()
	})
}
