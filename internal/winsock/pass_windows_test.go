package winsock

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/leaktest"
)

// infoSize is that of a WSAPROTOCOL_INFOW.
const infoSize = int(unsafe.Sizeof(windows.WSAProtocolInfo{}))

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(roleVariable)]; ok {
		os.Exit(play(role))
	}
	leaktest.Main(m)
}

// export describes a duplicate of c's socket for the process pid. c is left as it is, on its
// process's poller.
func export(t *testing.T, c syscall.Conn, pid int) *windows.WSAProtocolInfo {
	t.Helper()
	info, err := describe(c, pid)
	if err != nil {
		t.Fatal("export the socket:", err)
	}
	return info
}

func describe(c syscall.Conn, pid int) (*windows.WSAProtocolInfo, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var info windows.WSAProtocolInfo
	var failed error
	if err := raw.Control(func(h uintptr) {
		failed = windows.WSADuplicateSocket(windows.Handle(h), uint32(pid), &info)
	}); err != nil {
		return nil, err
	}
	return &info, failed
}

// importSocket makes a socket of what another process, or this one, has exported for this one.
func importSocket(info *windows.WSAProtocolInfo) (windows.Handle, error) {
	const fromInfo = -1 // FROM_PROTOCOL_INFO
	return windows.WSASocket(fromInfo, fromInfo, fromInfo, info, 0,
		windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
}

// receive sends c's socket to this very process, closes c, and returns the received one.
func receive(t *testing.T, c interface {
	syscall.Conn
	Close() error
}) windows.Handle {
	t.Helper()
	h, err := importSocket(export(t, c, os.Getpid()))
	if err != nil {
		t.Fatal("import the socket:", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return h
}

// tcpPair returns both ends of a connection, which package net's poller has already worked with.
func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	a, b, err := dialPair()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func dialPair() (a, b *net.TCPConn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	server, err := l.Accept()
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	for _, c := range []net.Conn{client, server} {
		if err := usePoller(c); err != nil {
			return nil, nil, err
		}
	}
	return client.(*net.TCPConn), server.(*net.TCPConn), nil
}

// usePoller leaves a read to the poller that does not succeed.
func usePoller(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
		return err
	}
	_, _ = c.Read(make([]byte, 1)) // times out
	return c.SetReadDeadline(time.Time{})
}

// connPair returns both ends of a connection, each of them received.
func connPair(t *testing.T) (a, b *Conn) {
	t.Helper()
	x, y := tcpPair(t)
	return newConn(t, receive(t, x)), newConn(t, receive(t, y))
}

// newConn returns the Conn of h, which is closed at the end of the test, unless the test does so.
func newConn(t *testing.T, h windows.Handle) *Conn {
	t.Helper()
	c, err := NewConn(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newListener(t *testing.T, address string) *Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	received, err := NewListener(receive(t, l.(*net.TCPListener)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { received.Close() })
	return received
}

func newPacketConn(t *testing.T, c net.Conn) *PacketConn {
	t.Helper()
	p, err := NewPacketConn(receive(t, c.(*net.UDPConn)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
