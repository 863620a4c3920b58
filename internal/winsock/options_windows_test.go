package winsock

import (
	"errors"
	"net"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Programs that want more than a net.Conn of a TCP connection ask it for the methods that
// *net.TCPConn has.
type tcpOptions interface {
	SetKeepAlive(bool) error
	SetKeepAlivePeriod(time.Duration) error
	SetLinger(int) error
	SetNoDelay(bool) error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

var (
	_ tcpOptions = (*Conn)(nil)
	_ tcpOptions = (*net.TCPConn)(nil)
)

func TestOptionsAreThoseOfTheSocket(t *testing.T) {
	c, _ := connPair(t)
	for _, test := range []struct {
		name          string
		set           func() error
		level, option int
		want          int
	}{
		{"SetNoDelay", func() error { return c.SetNoDelay(false) }, windows.IPPROTO_TCP, windows.TCP_NODELAY, 0},
		{"SetNoDelay", func() error { return c.SetNoDelay(true) }, windows.IPPROTO_TCP, windows.TCP_NODELAY, 1},
		{"SetKeepAlive", func() error { return c.SetKeepAlive(true) }, windows.SOL_SOCKET, windows.SO_KEEPALIVE, 1},
		{"SetKeepAlive", func() error { return c.SetKeepAlive(false) }, windows.SOL_SOCKET, windows.SO_KEEPALIVE, 0},
		{"SetKeepAlivePeriod", func() error { return c.SetKeepAlivePeriod(8500 * time.Millisecond) }, windows.IPPROTO_TCP, windows.TCP_KEEPIDLE, 9},
		{"SetReadBuffer", func() error { return c.SetReadBuffer(20000) }, windows.SOL_SOCKET, windows.SO_RCVBUF, 20000},
		{"SetWriteBuffer", func() error { return c.SetWriteBuffer(20000) }, windows.SOL_SOCKET, windows.SO_SNDBUF, 20000},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.set()
			if test.option == windows.TCP_KEEPIDLE && errors.Is(err, windows.WSAENOPROTOOPT) {
				t.Skip("Wine 8, and Windows before version 10, do not have this option")
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := windows.GetsockoptInt(c.handle, test.level, test.option)
			if got != test.want || err != nil {
				t.Errorf("the option is %d, %v; want %d", got, err, test.want)
			}
		})
	}
	c.Close()
	var op *net.OpError
	if err := c.SetNoDelay(true); !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "set" {
		t.Errorf("an option of what is closed: %v", err)
	}
}

func TestSetLinger(t *testing.T) {
	c, _ := connPair(t)
	for _, test := range []struct {
		sec  int
		want [2]uint16 // struct linger
	}{
		{3, [2]uint16{1, 3}},
		{0, [2]uint16{1, 0}},
		{-1, [2]uint16{0, 0}},
	} {
		if err := c.SetLinger(test.sec); err != nil {
			t.Fatal(err)
		}
		var got [2]uint16
		size := int32(unsafe.Sizeof(got))
		err := windows.Getsockopt(c.handle, windows.SOL_SOCKET, windows.SO_LINGER, (*byte)(unsafe.Pointer(&got)), &size)
		if got != test.want || err != nil {
			t.Errorf("after SetLinger(%d) the option is %v, %v; want %v", test.sec, got, err, test.want)
		}
	}
}
