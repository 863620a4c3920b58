package endpoint_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Ends whose carrier does not say whether they have arrived.

// An end of which nobody knows whether it has moved is closed here, also when it turns out that it
// has not.
func TestAnEndWhoseMoveIsUnknownIsClosed(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	carrier, e := carrierToStranger(t, cfg)
	end, peer := pairOf(t, cfg)
	l, path := listening(t, cfg)
	carrier.SetDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := carrier.Send([]byte("m"), []transport.File{{End: end}, {End: l}}, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	e.packet(wire.Packet{Type: wire.Bye}) // without having looked at the message
	if err := soon(t, "the peer's Read", func() error { _, err := peer.Read(make([]byte, 1)); return err }); err != io.EOF {
		t.Errorf("the peer reads %v", err)
	}
	if p, err := newClient(t.Context(), path, sock.Stream); err == nil {
		p.Close()
		t.Error("somebody listens")
	}
}

// A brittle pipe breaks when it is to be left.
type brittle struct {
	pipe.Pipe
	broken atomic.Bool
}

func (b *brittle) Interrupt() {
	b.broken.Store(true)
	b.Pipe.Interrupt()
}

func (b *brittle) Read(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	buf, n, placed, err = b.Pipe.Read(pool, into)
	if b.broken.Load() {
		return nil, 0, 0, syscall.EIO
	}
	return buf, n, placed, err
}

// An end that breaks while it moves stays, and is closed. Its descriptor may be another file's by
// then.
func TestAnEndThatBreaksWhileItMoves(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	x, y, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	end, peer := paired(t, cfg, &brittle{Pipe: x}, y)
	carrier, other := pairOf(t, cfg)
	if err := move(carrier, end); !errors.Is(err, syscall.EBADF) {
		t.Errorf("the move: %v, want %v", err, syscall.EBADF)
	}
	if err := soon(t, "the peer's Read", func() error { _, err := peer.Read(make([]byte, 1)); return err }); err != io.EOF {
		t.Errorf("the peer reads %v", err)
	}
	if _, err := end.Read(make([]byte, 1)); err != syscall.EIO {
		t.Errorf("the end reads %v", err)
	}
	exchange(t, carrier, other)
}

// Nor does anybody know it when the carrier breaks, without a goodbye or an acknowledgement.
func TestAnEndWhoseCarrierBreaksIsClosed(t *testing.T) {
	testenv.NeedPipeRights(t)
	for name, breaks := range map[string]struct {
		how func(*enemy)
		err error
	}{
		"the receiver dies": {func(e *enemy) { e.pipe.Close() }, nil},
		"the receiver lies": {func(e *enemy) { e.packet(wire.Packet{Type: wire.Ack, Serial: 99}) }, syscall.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := moving(sock.Stream)
			carrier, e := carrierToStranger(t, cfg)
			end, peer := pairOf(t, cfg)
			l, path := listening(t, cfg)
			sent := start(func() (int, error) {
				return carrier.Send([]byte("m"), []transport.File{{End: end}, {End: l}}, nil)
			})
			e.until(wire.Data, "m")
			breaks.how(e)
			if o := await(t, sent, "Send"); o.n != 1 || o.err != breaks.err {
				t.Errorf("Send: %d, %v; want 1, %v", o.n, o.err, breaks.err)
			}
			if _, err := end.Read(make([]byte, 1)); err != net.ErrClosed {
				t.Errorf("Read: %v", err)
			}
			if _, err := l.Accept(); err != net.ErrClosed {
				t.Errorf("Accept: %v", err)
			}
			if err := soon(t, "the peer's Read", func() error { _, err := peer.Read(make([]byte, 1)); return err }); err != io.EOF {
				t.Errorf("the peer reads %v", err)
			}
			if p, err := newClient(t.Context(), path, sock.Stream); err == nil {
				p.Close()
				t.Error("somebody listens")
			}
		})
	}
}

// An end breaks while it is to move, is closed, and stays: what it had sent is let go of all the
// same.
func TestAnEndThatBreaksAndIsClosedBeforeItStays(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	end, e := carrierToStranger(t, cfg)
	inner, _ := pairOf(t, cfg)
	sent := start(func() (int, error) { return 1, move(end, inner) })
	e.until(wire.Data, "m")

	// It moves behind another end, whose peer does not answer.
	slow, silent := carrierToStranger(t, cfg)
	carrier, _ := pairOf(t, cfg)
	moved := start(func() (int, error) {
		return carrier.Send([]byte("m"), []transport.File{{End: slow}, {End: end}}, nil)
	})
	silent.hearA(wire.Move)
	e.packet(wire.Packet{Type: wire.Ack, Serial: 99}) // a lie
	if err := soon(t, "a Write", func() error { _, err := end.Write([]byte("x")); return err }); err != syscall.EPIPE {
		t.Errorf("a Write: %v, want %v", err, syscall.EPIPE)
	}
	if err := end.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	carrier.SetWriteDeadline(time.Now())
	if o := await(t, moved, "the move"); !errors.Is(o.err, os.ErrDeadlineExceeded) {
		t.Errorf("the move: %v, want %v", o.err, os.ErrDeadlineExceeded)
	}
	if o := await(t, sent, "Send"); o.err != syscall.EPIPE {
		t.Errorf("Send: %v, want %v", o.err, syscall.EPIPE)
	}
}

// until reads packets until one of type typ comes with this payload.
func (e *enemy) until(typ wire.Type, payload string) wire.Packet {
	e.t.Helper()
	for {
		if p := e.hearA(typ); string(p.Payload) == payload {
			return p
		}
	}
}
