package endpoint_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Ends that were to move, and stay.

// A halted pipe keeps what it brings as long as the lock is held: its end looks like that of a
// process that is suspended.
type halted struct {
	pipe.Pipe
	sync.Mutex
}

func (h *halted) Read(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	buf, n, placed, err = h.Pipe.Read(pool, into)
	h.Lock()
	defer h.Unlock()
	return buf, n, placed, err
}

// An end that stays says hello, and so it does when it was to move again before its peer could
// answer the first one.
func TestAnEndStaysTwiceBeforeItIsAnswered(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	x, y, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	pipe := &halted{Pipe: y}
	near, far := paired(t, cfg, x, pipe)
	carrier, _ := pairOf(t, cfg)
	stays := func() {
		t.Helper()
		carrier.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if err := soon(t, "the move", func() error { return move(carrier, near) }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want %v", err, os.ErrDeadlineExceeded)
		}
	}
	pipe.Lock()
	stays()
	stays()
	pipe.Unlock()
	exchange(t, near, far)
	send(t, near, "d", transport.File{Value: os.Stdin.Fd()})
	recv(t, far, "d", 1).Close()

	carrier.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if err := soon(t, "the move", func() error { return move(carrier, near) }); err != nil {
		t.Error(err)
	}
}

// The peers of ends that go with another one are waited for, too: the deadline holds for them.
func TestTheDeadlineOfAMoveHoldsForAllThatMoves(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	t.Run("an end in a queue", func(t *testing.T) {
		carrier, _ := pairOf(t, cfg)
		outer, other := pairOf(t, cfg)
		// Before its peer falls silent, the inner end goes into the queue.
		x, y, err := newPair()
		if err != nil {
			t.Fatal(err)
		}
		m := &mute{Pipe: y}
		inner, _ := paired(t, cfg, x, m)
		if err := move(other, inner); err != nil {
			t.Fatal(err)
		}
		m.on.Store(true)
		carrier.SetDeadline(time.Now().Add(200 * time.Millisecond))
		if err := soon(t, "the move", func() error { return move(carrier, outer) }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want %v", err, os.ErrDeadlineExceeded)
		}
		recv(t, outer, "m", 1).Close()
		exchange(t, outer, other)
	})
	t.Run("a client", func(t *testing.T) {
		carrier, _ := pairOf(t, cfg)
		l, path := listening(t, cfg)
		p, err := newClient(t.Context(), path, sock.Stream)
		if err != nil {
			t.Fatal(err)
		}
		m := &mute{Pipe: p}
		m.on.Store(true)
		c, err := endpoint.Dial(t.Context(), m, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		carrier.SetDeadline(time.Now().Add(200 * time.Millisecond))
		if err := soon(t, "the move", func() error { return move(carrier, l) }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want %v", err, os.ErrDeadlineExceeded)
		}
		accepts(t, l)
	})
}

// What fails for want of descriptors has not happened.
func TestNoRoomLeavesEndsWhereTheyAre(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, table := moving(sock.Stream)
	t.Run("a listener", func(t *testing.T) {
		carrier, _ := pairOf(t, cfg)
		l, path := listening(t, cfg)
		table.full.Store(true)
		err := move(carrier, l)
		table.full.Store(false)
		if !errors.Is(err, syscall.EMFILE) {
			t.Fatalf("%v, want %v", err, syscall.EMFILE)
		}
		c := dial(t, sock.Stream, path)
		defer c.Close()
		accepts(t, l)
	})
	t.Run("over itself", func(t *testing.T) {
		a, b := pairOf(t, cfg)
		table.full.Store(true)
		err := move(a, a)
		table.full.Store(false)
		if !errors.Is(err, syscall.EMFILE) {
			t.Fatalf("%v, want %v", err, syscall.EMFILE)
		}
		exchange(t, a, b)
		if err := move(a, a); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

// What the peer says while an end is about to move counts if it stays.
func TestAPeerThatGetsReadyDuringAMoveThatComesToNothing(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	carrier, _ := pairOf(t, cfg)
	l, path := listening(t, cfg)
	p, err := newClient(t.Context(), path, sock.Stream)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	e := &enemy{t: t, pipe: p}
	e.hello(sock.Stream, nil)
	e.welcomed()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	end := accepted.(*endpoint.Conn)
	defer end.Close()
	end.SetDeadline(time.Now().Add(3 * time.Second))

	// A datagram socket that is sending cannot move yet.
	dgram, _ := moving(sock.Datagram)
	_, name := bound(t, dgram)
	busy, _ := bound(t, dgram)
	sent := make(chan struct{}, 100)
	go func() {
		for {
			if _, err := busy.Send([]byte("x"), nil, &net.UnixAddr{Name: name, Net: "unixgram"}); err != nil {
				close(sent)
				return
			}
			sent <- struct{}{}
		}
	}()
	for range 11 { // fill its queue
		<-sent
	}
	carrier.SetDeadline(time.Now().Add(500 * time.Millisecond))
	ready := time.AfterFunc(200*time.Millisecond, e.ready)
	defer ready.Stop()
	if _, err := carrier.Send([]byte("m"), []transport.File{{End: end}, {End: busy}}, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	go func() {
		end.Send([]byte("d"), []transport.File{{Value: f.Fd()}}, nil)
		end.Close()
	}()
	impatience := time.AfterFunc(5*time.Second, func() { p.Close() })
	defer impatience.Stop()
	for {
		got, err := e.hear()
		if err != nil || got.Type == wire.Bye {
			t.Errorf("no descriptor came: %+v, %v", got, err)
		}
		if err != nil || got.Type == wire.Bye || got.Records == 1 {
			break
		}
	}
	end.Close()
	busy.Close()
	for range sent {
	}
}

// A dying pipe is that to a process about which, once it is dead, nothing can be learnt.
type dying struct {
	pipe.Pipe
	dead atomic.Bool
}

func (d *dying) Identify(proof []byte) (who cred.Credentials, can pipe.Ability, err error) {
	who, can, err = d.Pipe.Identify(proof)
	if d.dead.Load() {
		can = 0
	}
	return who, can, err
}

func (d *dying) Pull(theirs uint64) (uintptr, error) {
	if d.dead.Load() {
		return 0, syscall.ESRCH
	}
	return d.Pipe.Pull(theirs)
}

// Whoever has said hello to an end that stays, and died, has sent what he sent by what was agreed
// on before: it is lost, and no lie.
func TestDescriptorsOfAPeerThatDiedWhileAnEndStayed(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, table := moving(sock.Stream)
	x, y, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	ours := &dying{Pipe: x}
	end, peer := paired(t, cfg, ours, y)
	carrier, other := pairOf(t, cfg)
	ours.dead.Store(true)
	table.full.Store(true)
	if err := move(carrier, end); !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("the move: %v", err)
	}
	table.full.Store(false)
	exchange(t, carrier, other)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	send(t, peer, "x", transport.File{Value: r.Fd()})
	m, err := end.Recv(make([]byte, 9), false)
	if m.N != 1 || m.Rights.Len() != 0 || !errors.Is(err, descriptor.ErrRightsTruncated) {
		t.Errorf("received %d bytes with %d descriptors, %v", m.N, m.Rights.Len(), err)
	}
}
