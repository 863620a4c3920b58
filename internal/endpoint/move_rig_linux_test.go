package endpoint_test

import (
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

// What the tests of ends that move are made of: real pipes, both of whose ends are in this process.

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

// A mute pipe swallows the acknowledgements that are written to it, once it is: its end looks like
// that of a process that is suspended.
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
