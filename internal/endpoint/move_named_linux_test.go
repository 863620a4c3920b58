package endpoint_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
)

// Sockets with a name that move.

// A datagram socket can be sent by itself, but not to the socket that it is connected to.
func TestADatagramSocketSendsItself(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Datagram)
	to, name := bound(t, cfg)
	s, own := bound(t, cfg)
	if _, err := s.Send([]byte("m"), []transport.File{{End: s}}, &net.UnixAddr{Name: name, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("sent, it says %v", err)
	}
	m, err := to.Recv(make([]byte, 1), false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Rights.Close()
	if _, err := to.Send([]byte("x"), nil, &net.UnixAddr{Name: own, Net: "unixgram"}); err != nil {
		t.Errorf("to the socket that has moved: %v", err)
	}
	connected, err := endpoint.DialPacket(t.Context(), names{}, false, "", name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	connected.SetDeadline(time.Now().Add(5 * time.Second))
	if err := move(connected, connected); !errors.Is(err, descriptor.ErrNotSendable) {
		t.Errorf("to its peer: %v, want %v", err, descriptor.ErrNotSendable)
	}
	if _, err := connected.Write([]byte("y")); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// A write deadline ends a wait for the end of a move.
func TestADatagramSocketThatMovesHeedsItsDeadline(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Datagram)
	carrier, _ := pairOf(t, cfg)
	s, name := bound(t, cfg)
	p, err := newClient(t.Context(), name, sock.Datagram)
	if err != nil {
		t.Fatal(err)
	}
	m := &mute{Pipe: p}
	linked, err := endpoint.Dial(t.Context(), m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer linked.Close()
	m.on.Store(true)
	carrier.SetDeadline(time.Now().Add(2 * time.Second))
	moved := make(chan error, 1)
	go func() { moved <- move(carrier, s) }()
	for deadline := time.Now().Add(5 * time.Second); ; { // until it moves, it sends
		s.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := s.Send([]byte("x"), nil, &net.UnixAddr{Name: name, Net: "unixgram"})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("sending goes on: %v", err)
		}
	}
	select {
	case err := <-moved:
		t.Fatalf("the move was over: %v", err)
	default:
	}
	if err := <-moved; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the move: %v", err)
	}
}

// A counter tells when its source has let somebody in.
type counter struct {
	pipe.Source
	taken chan struct{}
}

func (c *counter) Accept() (pipe.Pipe, error) {
	p, err := c.Source.Accept()
	if err == nil {
		c.taken <- struct{}{}
	}
	return p, err
}

// A listener that waits for strangers to say hello moves all the same, and they with it.
func TestAListenerThatIsFullOfStrangersMoves(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	carrier, _ := pairOf(t, cfg)
	path := filepath.Join(testenv.TempDir(t), "s")
	src, err := newSource(path, sock.Stream)
	if err != nil {
		t.Fatal(err)
	}
	counting := &counter{Source: src, taken: make(chan struct{}, 300)}
	l := endpoint.Listen(counting, cfg, 0)
	defer l.Close()
	for range 300 {
		p, err := newClient(t.Context(), path, sock.Stream)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
	}
	for range 257 { // one more than may be silent
		<-counting.taken
	}
	carrier.SetDeadline(time.Now().Add(5 * time.Second))
	begin := time.Now()
	if err := move(carrier, l); err != nil || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

// What a client of a listener that has moved is called is seen when it is accepted, as package net
// does. A name that it chooses later is not looked at (row 75).
func TestAClientOfAListenerThatHasMovedKeepsItsName(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Seqpacket)
	l, path := listening(t, cfg)
	p, err := newClient(t.Context(), path, sock.Seqpacket)
	if err != nil {
		t.Fatal(err)
	}
	own := cfg
	own.Autobind = func() (string, io.Closer, error) { return "chosen", io.NopCloser(nil), nil }
	client, err := endpoint.Dial(t.Context(), p, own)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	carrier, other := pairOf(t, cfg)
	arrived := make(chan any, 1)
	go func() {
		m, err := other.Recv(make([]byte, 1), false)
		if err != nil {
			t.Error(err)
			close(arrived)
			return
		}
		m.Rights.Give(0, func(_ uintptr, _ descriptor.Kind, end descriptor.End) error { arrived <- end; return nil })
	}()
	if err := move(carrier, l); err != nil {
		t.Fatal(err)
	}
	next, ok := (<-arrived).(*endpoint.Listener)
	if !ok {
		t.FailNow()
	}
	defer next.Close()
	next.SetDeadline(time.Now().Add(10 * time.Second))
	server, err := next.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := client.SetPassCredentials(true); err != nil {
		t.Fatal(err)
	}
	send(t, client, "x")
	recv(t, server.(*endpoint.Conn), "x", 0)
	if got := server.RemoteAddr().String(); got != "@" {
		t.Errorf("the client was accepted without a name, and is called %q now", got)
	}
}
