package endpoint_test

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// A datagram socket that moves while ends that were sent to it are not in its queue yet.

// senderOf returns a socket that is connected to the one called name, as n leads to it.
func senderOf(t *testing.T, cfg endpoint.Config, name string, n pipe.Network) *endpoint.PacketConn {
	t.Helper()
	s, err := endpoint.DialPacket(t.Context(), n, false, "", name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SetDeadline(time.Now().Add(10 * time.Second))
	return s
}

// expectDatagrams reads n short datagrams, and then one with an end, which must work: peer is its
// peer.
func expectDatagrams(t *testing.T, s *endpoint.PacketConn, n int, peer *endpoint.Conn) {
	t.Helper()
	s.SetDeadline(time.Now().Add(10 * time.Second))
	for range n {
		if got, err := s.Read(make([]byte, 10)); got != 1 || err != nil {
			t.Fatalf("read %d, %v", got, err)
		}
	}
	m, err := s.Recv(make([]byte, 200<<10), false)
	if err != nil || m.Rights.Len() != 1 {
		t.Fatalf("a datagram with %d descriptors, %v", m.Rights.Len(), err)
	}
	var end *endpoint.Conn
	m.Rights.Give(0, func(_ uintptr, _ descriptor.Kind, e descriptor.End) error { end = e.(*endpoint.Conn); return nil })
	defer end.Close()
	end.SetDeadline(time.Now().Add(10 * time.Second))
	exchange(t, end, peer)
}

// arrived takes the datagram socket that has come over c.
func arrived(t *testing.T, c *endpoint.Conn) *endpoint.PacketConn {
	t.Helper()
	var s *endpoint.PacketConn
	recv(t, c, "m", 1).Give(0, func(_ uintptr, _ descriptor.Kind, e descriptor.End) error {
		s = e.(*endpoint.PacketConn)
		return nil
	})
	t.Cleanup(func() { s.Close() })
	return s
}

// If the queue is full, an end that waits for room goes along all the same.
func TestEndsThatWaitForRoomMoveWithTheirSocket(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Datagram)
	connections, _ := moving(sock.Stream)
	carrier, other := pairOf(t, connections)
	end, peer := pairOf(t, connections)
	s, name := bound(t, cfg)
	sender := senderOf(t, cfg, name, names{})
	for range 11 {
		send(t, sender, "x")
	}
	sent := start(func() (int, error) { return sender.Send([]byte("e"), []transport.File{{End: end}}, nil) })
	if !stays(sent) { // it waits for room
		t.Fatal("the queue is not full")
	}
	if err := soon(t, "the move", func() error { return move(carrier, s) }); err != nil {
		t.Fatal(err)
	}
	if o := <-sent; o.n != 1 || o.err != nil {
		t.Errorf("%+v", o)
	}
	expectDatagrams(t, arrived(t, other), 11, peer)
}

// stays reports whether a call goes on for a moment.
func stays(done <-chan outcome) bool {
	select {
	case <-done:
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}

// A halting pipe keeps back what is not the first packet of a datagram, until goOn.
type halting struct {
	pipe.Pipe
	mu     sync.Mutex
	going  bool
	pieces [][]byte
}

func (h *halting) Write(head, body []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.going && wire.Type(head[0]) == wire.Data && head[1]&wire.Continued != 0 {
		h.pieces = append(h.pieces, slices.Concat(head, body))
		return nil
	}
	return h.Pipe.Write(head, body)
}

func (h *halting) goOn(t *testing.T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.going = true
	for _, p := range h.pieces {
		if err := h.Pipe.Write(p, nil); err != nil {
			t.Error(err)
		}
	}
}

// haltingNames has such a pipe.
type haltingNames struct {
	names
	pipe *halting
}

func (n haltingNames) Dial(ctx context.Context, name string) (p pipe.Pipe, err error) {
	n.pipe.Pipe, err = n.names.Dial(ctx, name)
	return n.pipe, err
}

// As long as an end has come with the first piece of a datagram only, it is still its sender's.
func TestASocketToWhichAnEndIsComingStays(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Datagram)
	connections, _ := moving(sock.Stream)
	carrier, other := pairOf(t, connections)
	end, peer := pairOf(t, connections)
	s, name := bound(t, cfg)
	pipe := new(halting)
	sender := senderOf(t, cfg, name, haltingNames{pipe: pipe})
	sent := start(func() (int, error) {
		return sender.Send(make([]byte, 100<<10), []transport.File{{End: end}}, nil)
	})
	if !stays(sent) {
		t.Fatal("the datagram is complete")
	}
	if err := soon(t, "the move", func() error { return move(carrier, s) }); err != syscall.EAGAIN {
		t.Fatalf("%v, want EAGAIN", err)
	}
	pipe.goOn(t)
	if o := <-sent; o.n != 100<<10 || o.err != nil {
		t.Errorf("%+v", o)
	}
	if err := soon(t, "the move", func() error { return move(carrier, s) }); err != nil {
		t.Fatal(err)
	}
	expectDatagrams(t, arrived(t, other), 0, peer)
}
