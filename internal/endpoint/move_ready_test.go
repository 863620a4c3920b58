package endpoint_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Whoever moves an end waits until nothing is half done there, and reads the pipe meanwhile.

// A gated descriptor table duplicates nothing until it may.
type gatedTable struct {
	descriptor.Table
	may chan struct{}
}

func (g *gatedTable) Dup(v uintptr, k descriptor.Kind) (uintptr, error) {
	<-g.may
	return g.Table.Dup(v, k)
}

func TestAnEndMovesOnceWhatIsHalfDoneIs(t *testing.T) {
	for name, begin := range map[string]func(r *rig, may chan struct{}) <-chan outcome{
		"a message is loaded, and taken back": func(r *rig, _ chan struct{}) <-chan outcome {
			files := r.open(r.clientProc, descriptor.File, 1)
			return start(func() (int, error) { return r.client.Send([]byte("d"), files, nil) })
		},
		"a packet is written": func(r *rig, may chan struct{}) <-chan outcome {
			r.clientPipe.tried = func() { <-may }
			return start(func() (int, error) { return r.client.Write([]byte("x")) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { movesOnce(t, begin) })
		})
	}
}

// movesOnce begins something at an end that is read by whoever waits, then moves the end, and fails
// unless its peer hears of that once what has begun may end.
func movesOnce(t *testing.T, begin func(*rig, chan struct{}) <-chan outcome) {
	r := newRig(t, sock.Stream)
	defer r.end()
	may := make(chan struct{})
	cfg := r.config(r.clientProc, sock.Stream)
	cfg.Table = &gatedTable{cfg.Table, may}
	carrier := r.connectWith(cfg)
	defer carrier.Close()
	r.connectWith(cfg)
	r.resting(r.client, r.server)

	begun := begin(r, may)
	r.pending(begun, "what is half done")
	r.clientPipe.peer.hold() // the peer answers nothing
	moved := start(func() (int, error) { return carrier.Send([]byte("m"), []transport.File{{End: r.client}}, nil) })
	r.pending(moved, "the move")
	if len(r.clientPipe.written(wire.Move)) > 0 {
		t.Error("the peer has been told too early")
	}
	close(may)
	r.pending(moved, "the move")
	if len(r.clientPipe.written(wire.Move)) == 0 {
		t.Error("the peer has not been told")
	}
	carrier.SetWriteDeadline(time.Now())
	if o := <-moved; !errors.Is(o.err, os.ErrDeadlineExceeded) {
		t.Errorf("the move: %v", o.err)
	}
	r.clientPipe.peer.letGo()
	if o := <-begun; o.n != 1 || o.err != nil {
		t.Errorf("what was half done: %+v", o)
	}
}

// connectWith makes another connection, whose client's end is made with cfg, and returns that end.
func (r *rig) connectWith(cfg endpoint.Config) *endpoint.Conn {
	r.t.Helper()
	r.serverPipe, r.clientPipe = newFakePipe(onLinux, r.serverProc, r.clientProc)
	r.source.pipes <- r.serverPipe
	var err error
	if r.client, err = endpoint.Dial(r.t.Context(), r.clientPipe, cfg); err != nil {
		r.t.Fatal(err)
	}
	c, err := r.listener.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	r.server = c.(*endpoint.Conn)
	return r.client
}
