package endpoint_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"afunix/internal/endpoint"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/testenv"
	"afunix/internal/transport"
)

// netConn is a Conn with the addresses of net.Conn.
type netConn struct{ *endpoint.Conn }

func (c netConn) LocalAddr() net.Addr  { return c.Conn.LocalAddr() }
func (c netConn) RemoteAddr() net.Addr { return c.Conn.RemoteAddr() }

func listen(t testing.TB, typ sock.Type, backlog int) (*endpoint.Listener, string) {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "s")
	src, err := newSource(path, typ)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no message pipe on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	l := endpoint.Listen(src, endpoint.Config{Type: typ, Local: path, World: &endpoint.World{System: opener{}, Network: names{}}}, backlog)
	t.Cleanup(func() { l.Close() })
	return l, path
}

func dial(t testing.TB, typ sock.Type, path string) *endpoint.Conn {
	t.Helper()
	p, err := newClient(context.Background(), path, typ)
	if err != nil {
		t.Fatal(err)
	}
	c, err := endpoint.Dial(context.Background(), p, endpoint.Config{Type: typ})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dialled(t testing.TB, typ sock.Type) (server, client *endpoint.Conn) {
	t.Helper()
	l, path := listen(t, typ, 0)
	client = dial(t, typ, path)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server = c.(*endpoint.Conn)
	t.Cleanup(func() { server.Close() })
	return server, client
}

func TestNettest(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		server, client := dialled(t, sock.Stream)
		return netConn{server}, netConn{client}, func() { server.Close(); client.Close() }, nil
	})
}

func TestRightsTravelBothWays(t *testing.T) {
	testenv.NeedPipeRights(t)
	server, client := dialled(t, sock.Stream)
	for _, dir := range [][2]*endpoint.Conn{{client, server}, {server, client}} {
		f, err := os.CreateTemp(testenv.TempDir(t), "")
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("half-way through")
		f.Seek(9, io.SeekStart)
		files := make([]transport.File, 253)
		for i := range files {
			files[i].Value = f.Fd()
		}
		data := make([]byte, 32000)
		if n, err := dir[0].Send(data, files, nil); n != len(data) || err != nil {
			t.Fatal(n, err)
		}
		f.Close()
		m, err := dir[1].Recv(make([]byte, 40000), false)
		if err != nil || m.N != len(data) || m.Rights.Len() != 253 {
			t.Fatalf("%+v, %v", m, err)
		}
		v, k, err := m.Rights.Take(252)
		if err != nil {
			t.Fatal(err)
		}
		got := os.NewFile(v, "received")
		b, err := io.ReadAll(got)
		t.Logf("kind %d: %q %v", k, b, err)
		if string(b) != "through" {
			t.Error("not the file, or not its offset")
		}
		got.Close()
		m.Rights.Close()
	}
}

// pairOf returns a pair that cfg describes.
func pairOf(t *testing.T, cfg endpoint.Config) (a, b *endpoint.Conn) {
	t.Helper()
	x, y, err := newPair()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no message pipe on this system")
	}
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
		moreTime(c)
	}
	return a, b
}

// moreTime bounds what comes next on these.
func moreTime(conns ...*endpoint.Conn) {
	for _, c := range conns {
		c.SetDeadline(time.Now().Add(10 * time.Second))
	}
}
