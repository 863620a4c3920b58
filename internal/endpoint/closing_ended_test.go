package endpoint_test

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
)

// A guarded pipe lets nobody look what is there until it may, once it is guarded.
type guarded struct {
	*fakePipe
	on    atomic.Bool
	may   chan struct{}
	there atomic.Int32 // so many look
	over  atomic.Int32 // so often it was closed
}

func (g *guarded) Close() error {
	g.over.Add(1)
	return g.fakePipe.Close()
}

func (g *guarded) Hangup() error {
	g.over.Add(1)
	return g.fakePipe.Hangup()
}

func (g *guarded) ReadNow(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	if g.on.Load() {
		g.there.Add(1)
		<-g.may
	}
	return g.fakePipe.ReadNow(pool, into)
}

// A connection that has to be ended, because an exported socket cannot be taken back (P4), is
// closed meanwhile: what its peer has sent is looked at by one of the two.
func TestCloseOfAConnectionThatIsBeingEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sock.Stream)
		defer r.end()
		r.left = 1 // what has been exported
		var clientPipe *fakePipe
		r.serverPipe, clientPipe = newFakePipe(onWindows, r.serverProc, r.clientProc)
		r.source.pipes <- r.serverPipe
		g := &guarded{fakePipe: clientPipe, may: make(chan struct{})}
		var err error
		if r.client, err = endpoint.Dial(t.Context(), g, r.config(r.clientProc, sock.Stream)); err != nil {
			t.Fatal(err)
		}
		c, err := r.listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r.server = c.(*endpoint.Conn)
		synctest.Wait()

		r.serverPipe.limit(-1) // there is no room, for the goodbye either
		files := r.open(r.clientProc, descriptor.Stream, 1)
		sent := start(func() (int, error) { return r.client.Send([]byte("s"), files, nil) })
		r.pending(sent, "a send without room")
		g.on.Store(true)
		r.client.SetWriteDeadline(time.Now())
		if o := <-sent; !errors.Is(o.err, os.ErrDeadlineExceeded) {
			t.Errorf("the send: %v", o.err)
		}
		time.Sleep(time.Minute) // virtual: the goodbye has been waited for
		if n := g.there.Load(); n != 1 {
			t.Errorf("%d look at what has come", n)
		}
		if err := r.client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		time.Sleep(time.Minute)
		if n := g.there.Load(); n != 1 {
			t.Errorf("%d look at what has come", n)
		}
		if g.over.Load() > 0 {
			t.Error("the pipe is closed though somebody looks what has come")
		}
		close(g.may)
		synctest.Wait()
		if n := g.over.Load(); n != 1 {
			t.Errorf("the pipe was closed %d times", n)
		}
	})
}
