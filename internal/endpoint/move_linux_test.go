package endpoint_test

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/wire"
)

// Ends that move within one process, over real pipes, when something goes wrong.

// Close and a move at the same time: one of them comes first.
func TestCloseWhileAnEndMoves(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	carrier, other := pairOf(t, cfg)
	for range 200 {
		moreTime(carrier, other)
		end, peer := pairOf(t, cfg)
		closed := make(chan error, 1)
		go func() { closed <- end.Close() }()
		err := move(carrier, end)
		<-closed
		if err == nil {
			recv(t, other, "m", 1).Close()
		} else if !errors.Is(err, syscall.EBADF) {
			t.Fatal(err)
		}
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("the peer reads %v", err)
		}
		peer.Close()
	}
}

// What has just been received can be sent on at once.
func TestAnEndIsPassedOnAtOnce(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	carrier, other := pairOf(t, cfg)
	end, _ := pairOf(t, cfg)
	var next any = end
	for i := range 100 {
		moreTime(carrier, other)
		received := make(chan any, 1)
		go func() {
			m, err := other.Recv(make([]byte, 1), false)
			if err != nil {
				t.Error(err)
				received <- nil
				return
			}
			var e any
			m.Rights.Give(0, func(_ uintptr, _ descriptor.Kind, end descriptor.End) error { e = end; return nil })
			received <- e
		}()
		if err := move(carrier, next); err != nil {
			t.Fatalf("move %d: %v", i, err)
		}
		if next = <-received; next == nil {
			t.FailNow()
		}
	}
	next.(*endpoint.Conn).Close()
}

// Luggage that belongs to no message is a protocol error.
func TestLuggageOfNothing(t *testing.T) {
	cfg, _ := moving(sock.Stream)
	l, path := listening(t, cfg)
	p, err := newClient(t.Context(), path, sock.Stream)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	e := &enemy{t: t, pipe: p}
	e.hello(sock.Stream, nil)
	e.welcomed()
	e.ready()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e.packet(wire.Packet{Type: wire.Data, Flags: wire.Luggage, Serial: 1, Payload: []byte{1}})
	e.packet(wire.Packet{Type: wire.Data, Payload: []byte("x")})
	e.untilHungUp()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, sock.ErrProtocol) {
		t.Errorf("%v, want %v", err, sock.ErrProtocol)
	}
}
