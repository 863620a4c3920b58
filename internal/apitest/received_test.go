package apitest

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// receive sends f from one end of a new pair to the other and returns its Rights.
func receive(t *testing.T, tr afunix.Transport, network string, kind afunix.Kind, f afunix.Sendable) afunix.Rights {
	t.Helper()
	a, b := pair(t, tr, network)
	mustWriteMsg(t, a, "x", f)
	r := mustReadMsg(t, b, "x", 1).Rights
	if k := r.Kind(0); k != kind {
		t.Errorf("Kind = %v; want %v", k, kind)
	}
	return r
}

// expectEcho writes on one connection what arrives at the other, in both directions, and then sees
// deadlines work.
func expectEcho(t *testing.T, x, y net.Conn) {
	t.Helper()
	for _, c := range [][2]net.Conn{{x, y}, {y, x}} {
		buf := make([]byte, 10)
		c[1].SetReadDeadline(time.Now().Add(patience))
		if _, err := c[0].Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if n, err := c[1].Read(buf); string(buf[:n]) != "ping" || err != nil {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		c[1].SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c[1].Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read after the deadline: %v", err)
		}
	}
}

func TestReceivedTCPConnection(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		got, err := receive(t, tr, network, afunix.KindStream, server.(*net.TCPConn)).Conn(0)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		server.Close()
		if got.RemoteAddr().String() != client.LocalAddr().String() {
			t.Errorf("RemoteAddr = %v; want %v", got.RemoteAddr(), client.LocalAddr())
		}
		expectEcho(t, got, client)
	})
}

func TestReceivedTCPListener(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got, err := receive(t, tr, network, afunix.KindListener, l.(*net.TCPListener)).Listener(0)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		address := l.Addr().String()
		l.Close()
		client, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := got.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		expectEcho(t, client, server)
		expectCloseWakes(t, got.Close, func() error { _, err := got.Accept(); return err })
	})
}

func TestReceivedUDPSocket(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got, err := receive(t, tr, network, afunix.KindDatagram, u.(*net.UDPConn)).PacketConn(0)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		address := u.LocalAddr()
		u.Close()
		client, err := net.Dial("udp", address.String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		client.Write([]byte("ping"))
		got.SetDeadline(time.Now().Add(patience))
		buf := make([]byte, 10)
		n, from, err := got.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "ping" || from.String() != client.LocalAddr().String() {
			t.Fatalf("ReadFrom = %q, %v, %v", buf[:n], from, err)
		}
	})
}

func TestReceivedPipeAndDirectory(t *testing.T) {
	eachPassing(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		w := testenv.NewWitness(t)
		f, err := receive(t, tr, network, afunix.KindPipe, w.W).File(0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w.W.Close()
		f.Write([]byte("through"))
		f.Close()
		if text, err := io.ReadAll(w.R); string(text) != "through" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
		dir, err := os.Open(testenv.TempDir(t))
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		d, err := receive(t, tr, network, afunix.KindDirectory, dir).File(0)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if info, err := d.Stat(); err != nil || !info.IsDir() {
			t.Errorf("no directory: %v", err)
		}
	})
}

// Rows 54, 57, 62: sockets of ours over sockets of ours. (Over pipes an end moves: move_test.go has
// that.)
func TestReceivedConnAndListener(t *testing.T) {
	tr := afunix.KernelTransport
	each(t, all, func(t *testing.T, over afunix.Transport, network string) {
		if over != tr {
			t.Skip("other tests look at ends that move")
		}
		x, y := pair(t, tr, network)
		got, err := receive(t, tr, network, afunix.KindUnix, x).Conn(0)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		x.Close()
		c, ok := got.(*afunix.Conn)
		if !ok || c.LocalAddr().Network() != network {
			t.Fatalf("got a %T", got)
		}
		expectEcho(t, c, y)
		y.SetDeadline(time.Now().Add(patience))
		c.SetDeadline(time.Now().Add(patience))
		mustWriteMsg(t, c, "y", testenv.TempFile(t, ""))
		mustReadMsg(t, y, "y", 1)
	})
	each(t, listened, func(t *testing.T, over afunix.Transport, network string) {
		if over != tr {
			t.Skip("other tests look at ends that move")
		}
		path := socketPath(t)
		l := listen(t, tr, network, path)
		l.SetUnlinkOnClose(false)
		client, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, client)
		mustWriteMsg(t, client, "waiting") // row 57: what waits is not lost
		r := receive(t, tr, network, afunix.KindUnixListener, l)
		l.Close()
		if _, err := r.Conn(0); !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("a listener as a connection: %v", err)
		}
		got, err := r.Listener(0)
		if err != nil {
			t.Fatal(err)
		}
		server, err := got.(*afunix.Listener).AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		guard(t, server)
		mustReadMsg(t, server, "waiting", 0)
		if err := got.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error("a received listener removed the socket file:", err)
		}
	})
}
