package endpoint_test

import (
	"context"
	"errors"
	"net"
	"os"
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
	"afunix/internal/wire"
)

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

// A Read that is taking in what else there is when its end is closed does not return bytes whose descriptors have been discarded for that.
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

// P7: pieces cost something, too.
func TestEndlessPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Seqpacket)
		defer r.end()
		r.connect(onLinux, sock.Seqpacket)
		r.clientPipe.set(func() { r.clientPipe.forgets = true })
		for i := range 100000 {
			p := wire.Packet{Type: wire.Data, Flags: wire.More}
			if i > 0 {
				p.Flags |= wire.Continued
			}
			if err := r.clientPipe.Write(p.AppendHead(nil), nil); err != nil {
				return
			}
			synctest.Wait()
		}
		t.Error("100,000 empty pieces are queued")
	})
}

// An error that is over is nobody's any more.
func TestStaleAcceptError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		r.source.fail <- syscall.EMFILE
		synctest.Wait()
		time.Sleep(time.Hour)
		r.connect(onLinux, sock.Stream) // works again
		time.Sleep(time.Hour)
		r.listener.SetDeadline(time.Now().Add(time.Second))
		if _, err := r.listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, of two hours ago", err)
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

// A reader that has no deadline is never told of one.
func TestReadAfterExport(t *testing.T) {
	bubble(t, onWindows, sock.Stream, func(t *testing.T, r *rig) {
		r.left = 1
		r.clientPipe.hold()
		r.clientPipe.limit(1)
		send(t, r.server, "fills the pipe")
		r.server.SetWriteDeadline(time.Now().Add(time.Second))
		r.server.Send([]byte("x"), r.open(r.serverProc, descriptor.Stream, 1), nil)
		synctest.Wait()
		if _, err := r.server.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		r.clientPipe.limit(0)
		r.clientPipe.letGo()
	})
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
