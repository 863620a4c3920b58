package kernel

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/transport"
	"afunix/internal/winsock"

	"golang.org/x/sys/windows"
)

// What is said of a received AF_UNIX socket is tried with one of TCP, because Wine has no AF_UNIX.
func TestReceivedSocketIsAStream(t *testing.T) {
	c, peer := received(t)
	if _, err := c.Send([]byte("hello"), nil, nil); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(peer, buf); err != nil || string(buf) != "hello" {
		t.Fatalf("the peer read %q, %v", buf, err)
	}
	if _, err := c.Send([]byte("x"), []transport.File{{Value: uintptr(windows.Stdin)}}, nil); !errors.Is(err, descriptor.ErrNotSendable) {
		t.Errorf("Send with a file: %v, want ErrNotSendable", err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read of nothing: %v, want the deadline", err)
	}
	if err := errors.Join(c.SetReadDeadline(time.Time{}), c.SetReadBuffer(1<<16), c.SetWriteBuffer(1<<16)); err != nil {
		t.Error(err)
	}
	peer.Close()
	if m, err := c.Recv(buf, false); m.N != 0 || err != io.EOF {
		t.Errorf("Recv = %d, %v; want EOF", m.N, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if c.LocalAddr() == nil {
		t.Error("no local address")
	}
}

// received makes a Conn of a duplicate of one end of a TCP connection, and returns the other end.
func received(t *testing.T) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	here, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	raw, err := here.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var dup uintptr
	if controlErr := raw.Control(func(fd uintptr) { dup, err = descriptor.System.Dup(fd, descriptor.Stream) }); controlErr != nil || err != nil {
		t.Fatal(controlErr, err)
	}
	socket, err := winsock.NewConn(windows.Handle(dup))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() }) // once more does no harm
	c, err := NewConn(socket)
	if err != nil {
		t.Fatal(err)
	}
	return c, peer
}
