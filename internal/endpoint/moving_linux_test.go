package endpoint_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
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

// Ends that move within one process, over real pipes, when something goes wrong.

// A narrow descriptor table has no room while it is full.
type narrow struct {
	descriptor.Table
	full atomic.Bool
}

func (n *narrow) Dup(v uintptr, k descriptor.Kind) (uintptr, error) {
	if n.full.Load() {
		return 0, syscall.EMFILE
	}
	return n.Table.Dup(v, k)
}

// moving returns what ends are made with that can move, and their descriptor table.
func moving(typ sock.Type) (endpoint.Config, *narrow) {
	table := &narrow{Table: descriptor.System}
	return endpoint.Config{Type: typ, Table: table, World: &endpoint.World{System: opener{}, Network: names{}}}, table
}

// pairOf returns a pair that cfg describes.
func pairOf(t *testing.T, cfg endpoint.Config) (a, b *endpoint.Conn) {
	t.Helper()
	x, y, err := newPair()
	if err != nil {
		t.Fatal(err)
	}
	return paired(t, cfg, x, y)
}

func paired(t *testing.T, cfg endpoint.Config, x, y pipe.Pipe) (a, b *endpoint.Conn) {
	t.Helper()
	a, b, err := endpoint.Pair(x, y, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*endpoint.Conn{a, b} {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return a, b
}

// listening returns a listener that cfg describes.
func listening(t *testing.T, cfg endpoint.Config) (*endpoint.Listener, string) {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "s")
	src, err := newSource(path, cfg.Type)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Local = path
	l := endpoint.Listen(src, cfg, 0)
	t.Cleanup(func() { l.Close() })
	l.SetDeadline(time.Now().Add(10 * time.Second))
	return l, path
}

// A mute pipe swallows the acknowledgements that are written to it, once it is: its end looks like that of a process that is suspended.
type mute struct {
	pipe.Pipe
	on atomic.Bool
}

func (m *mute) Write(head, body []byte) error {
	if m.on.Load() && wire.Type(head[0]) == wire.Ack {
		return nil
	}
	return m.Pipe.Write(head, body)
}

// exchange fails unless bytes go both ways.
func exchange(t *testing.T, a, b *endpoint.Conn) {
	t.Helper()
	for _, way := range [][2]*endpoint.Conn{{a, b}, {b, a}} {
		send(t, way[0], "x")
		recv(t, way[1], "x", 0)
	}
}

// accepts fails unless l lets a client in.
func accepts(t *testing.T, l *endpoint.Listener) {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("the listener does not accept: %v", err)
	}
	c.Close()
}

// soon fails unless f returns, and returns its error.
func soon(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(8 * time.Second):
		t.Fatalf("%s is stuck", what)
		return nil
	}
}

func move(over transport.Conn, end any) error {
	_, err := over.Send([]byte("m"), []transport.File{{End: end}}, nil)
	return err
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

// An end of which nobody knows whether it has moved is closed here, also when it turns out that it has not.
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

// carrierToStranger returns a connection whose other end is played by hand.
func carrierToStranger(t *testing.T, cfg endpoint.Config) (transport.Conn, *enemy) {
	t.Helper()
	l, path := listening(t, cfg)
	p, err := newClient(t.Context(), path, cfg.Type)
	if err != nil {
		t.Fatal(err)
	}
	e := &enemy{t: t, pipe: p}
	e.hello(cfg.Type, nil)
	e.welcomed()
	e.ready()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); c.Close() })
	return c, e
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
			for {
				p, err := e.hear()
				if err != nil {
					t.Fatal(err)
				}
				if string(p.Payload) == "m" {
					break
				}
			}
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

// Close and a move at the same time: one of them comes first.
func TestCloseWhileAnEndMoves(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Stream)
	carrier, other := pairOf(t, cfg)
	for range 200 {
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

// A datagram socket can be sent by itself, but not to the socket that it is connected to.
func TestADatagramSocketSendsItself(t *testing.T) {
	testenv.NeedPipeRights(t)
	cfg, _ := moving(sock.Datagram)
	to, name := boundWith(t, cfg)
	s, own := boundWith(t, cfg)
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
	s, name := boundWith(t, cfg)
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
	_, name := boundWith(t, dgram)
	busy, _ := boundWith(t, dgram)
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

// await waits for an outcome, but not for ever.
func await(t *testing.T, done <-chan outcome, what string) outcome {
	t.Helper()
	select {
	case o := <-done:
		return o
	case <-time.After(8 * time.Second):
		t.Fatalf("%s is stuck", what)
		return outcome{}
	}
}
