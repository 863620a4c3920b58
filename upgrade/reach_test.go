package upgrade_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"afunix"
	"afunix/upgrade"
)

// What quic-go, and golang.org/x/net/internal/socket, ask a net.PacketConn for.
type (
	oobCapable interface {
		net.PacketConn
		SyscallConn() (syscall.RawConn, error)
		SetReadBuffer(int) error
		ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
		WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
	}
	withBuffers interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}
)

var (
	_ oobCapable                                = (*upgrade.PacketConn)(nil)
	_ withBuffers                               = (*upgrade.PacketConn)(nil)
	_ net.Conn                                  = (*upgrade.PacketConn)(nil)
	_ afunix.Sendable                           = (*upgrade.PacketConn)(nil)
	_ afunix.Sendable                           = (*upgrade.Listener)(nil)
	_ interface{ SetDeadline(time.Time) error } = (*upgrade.Listener)(nil)
)

func listenPacket(t *testing.T, u *upgrade.Upgrader, name, network, address string) *upgrade.PacketConn {
	t.Helper()
	c, err := u.ListenPacket(within(t), name, network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// generations is a process with a UDP socket and its successor, which has not called Ready.
func generations(t *testing.T) (former, next *upgrade.PacketConn, takeOver func()) {
	t.Helper()
	cfg := upgrade.Config{Address: address(t)}
	first := start(t, cfg)
	former = listenPacket(t, first, "log", "udp4", local)
	ready(t, first)
	second := start(t, cfg)
	next = listenPacket(t, second, "log", "udp4", local)
	return former, next, func() {
		t.Helper()
		ready(t, second)
		expectDone(t, first)
	}
}

func write(t *testing.T, to net.Addr, text string) {
	t.Helper()
	c, err := net.Dial("udp4", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// receivers are the ways to receive a datagram.
var receivers = map[string]func(c *upgrade.PacketConn, b []byte) (int, error){
	"ReadFrom": func(c *upgrade.PacketConn, b []byte) (int, error) { n, _, err := c.ReadFrom(b); return n, err },
	"Read":     (*upgrade.PacketConn).Read,
	"ReadFromUDPAddrPort": func(c *upgrade.PacketConn, b []byte) (int, error) {
		n, _, err := c.ReadFromUDPAddrPort(b)
		return n, err
	},
	"ReadMsgUDP": func(c *upgrade.PacketConn, b []byte) (int, error) {
		n, _, _, _, err := c.ReadMsgUDP(b, make([]byte, 100))
		return n, err
	},
	"ReadMsgUDPAddrPort": func(c *upgrade.PacketConn, b []byte) (int, error) {
		n, _, _, _, err := c.ReadMsgUDPAddrPort(b, make([]byte, 100))
		return n, err
	},
}

// senders are the ways to send one.
var senders = map[string]func(c *upgrade.PacketConn, b []byte, to *net.UDPAddr) error{
	"WriteTo": func(c *upgrade.PacketConn, b []byte, to *net.UDPAddr) error { _, err := c.WriteTo(b, to); return err },
	"WriteMsgUDP": func(c *upgrade.PacketConn, b []byte, to *net.UDPAddr) error {
		_, _, err := c.WriteMsgUDP(b, nil, to)
		return err
	},
	"WriteMsgUDPAddrPort": func(c *upgrade.PacketConn, b []byte, to *net.UDPAddr) error {
		_, _, err := c.WriteMsgUDPAddrPort(b, nil, to.AddrPort())
		return err
	},
	"WriteToUDPAddrPort": func(c *upgrade.PacketConn, b []byte, to *net.UDPAddr) error {
		_, err := c.WriteToUDPAddrPort(b, to.AddrPort())
		return err
	},
}

// However something is received, it waits until this process serves, and again when it does not any
// more.
func TestEveryWayToReceiveWaitsForItsTurn(t *testing.T) {
	for name, receive := range receivers {
		t.Run(name, func(t *testing.T) {
			former, next, takeOver := generations(t)
			if _, err := former.ReadMsg(nil); !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadMsg: %v", err)
			}
			buf := make([]byte, 100)
			write(t, former.LocalAddr(), "1")
			next.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if n, err := receive(next, buf); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("before its turn: %q, %v", buf[:n], err)
			}
			if n, err := receive(former, buf); string(buf[:n]) != "1" || err != nil {
				t.Fatalf("the process that serves receives %q, %v", buf[:n], err)
			}
			waiting := make(chan error, 1)
			go func() {
				_, err := receive(former, make([]byte, 100))
				waiting <- err
			}()
			takeOver()
			write(t, former.LocalAddr(), "2")
			next.SetReadDeadline(time.Now().Add(patience))
			if n, err := receive(next, buf); string(buf[:n]) != "2" || err != nil {
				t.Errorf("the successor receives %q, %v", buf[:n], err)
			}
			former.Close()
			if err := <-waiting; !errors.Is(err, net.ErrClosed) {
				t.Errorf("after its turn: %v", err)
			}
		})
	}
}

// What a UDP socket can do, one that has been handed over can.
func TestHandedOverUDPSocket(t *testing.T) {
	former, next, takeOver := generations(t)
	takeOver()
	for name, c := range map[string]*upgrade.PacketConn{"former": former, "next": next} {
		t.Run(name, func(t *testing.T) {
			raw, err := c.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			called := false
			if err := raw.Control(func(uintptr) { called = true }); err != nil || !called {
				t.Errorf("Control: %v", err)
			}
			for name, err := range map[string]error{
				"SetReadBuffer":  c.SetReadBuffer(50_000),
				"SetWriteBuffer": c.SetWriteBuffer(50_000),
				"SetTTL":         ipv4.NewPacketConn(c).SetTTL(7),
			} {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if c.RemoteAddr() != nil {
				t.Errorf("it is connected to %v", c.RemoteAddr())
			}
			sink, err := net.ListenPacket("udp4", local)
			if err != nil {
				t.Fatal(err)
			}
			defer sink.Close()
			to := sink.LocalAddr().(*net.UDPAddr)
			for name, send := range senders {
				if err := send(c, []byte("x"), to); err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				sink.SetDeadline(time.Now().Add(patience))
				if n, from, err := sink.ReadFrom(make([]byte, 10)); n != 1 || from == nil || from.String() != c.LocalAddr().String() || err != nil {
					t.Errorf("%s: %d bytes from %v, %v", name, n, from, err)
				}
			}
		})
	}
}

// A listener's deadline holds before its process serves, and then.
func TestDeadlineOfAListener(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			cfg := upgrade.Config{Address: address(t)}
			at := map[string]string{"tcp": local, "unix": cfg.Address + ".web"}[network]
			for range 2 { // a socket of its own, and one that has been handed over
				u := start(t, cfg)
				l := listen(t, u, "web", network, at)
				expectDeadline(t, l)
				if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
					t.Error(err)
				}
				ready(t, u)
				accepted := make(chan error, 1)
				go func() {
					c, err := l.Accept()
					if err == nil {
						c.Close()
					}
					accepted <- err
				}()
				c, err := dial(t, network, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				if err := <-accepted; err != nil {
					t.Error(err)
				}
				expectDeadline(t, l)
				l.SetDeadline(time.Time{})
			}
		})
	}
}

func expectDeadline(t *testing.T, l *upgrade.Listener) {
	t.Helper()
	if err := l.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Error(err)
	}
	if c, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Accept: %v, %v", c, err)
	}
}

// plainListener is one that can do no more than be handed over.
type plainListener struct {
	net.Listener
	afunix.Sendable
}

func TestWhatASocketCannotDo(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	u := start(t, cfg)
	dgram := listenPacket(t, u, "log", "unixgram", cfg.Address+".log")
	ready(t, u)
	if _, _, _, _, err := dgram.ReadMsgUDP(nil, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("ReadMsgUDP of unixgram: %v", err)
	}
	if _, _, err := dgram.WriteMsgUDP(nil, nil, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("WriteMsgUDP of unixgram: %v", err)
	}
	if err := dgram.SetReadBuffer(50_000); err != nil {
		t.Errorf("SetReadBuffer of unixgram: %v", err)
	}
	dgram.Close()
	if _, err := dgram.SyscallConn(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SyscallConn of a closed socket: %v", err)
	}
	if err := dgram.SetReadBuffer(1); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetReadBuffer of a closed socket: %v", err)
	}

	plain := start(t, upgrade.Config{Address: address(t), Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
		l, err := new(net.ListenConfig).Listen(ctx, network, address)
		return plainListener{l, l.(*net.TCPListener)}, err
	}})
	if err := listen(t, plain, "web", "tcp", local).SetDeadline(time.Time{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SetDeadline of a listener that has none: %v", err)
	}

	l := listen(t, u, "web", "tcp", local)
	l.Close()
	if err := l.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetDeadline of a closed listener: %v", err)
	}
	if _, err := l.SyscallConn(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SyscallConn of a closed listener: %v", err)
	}
}

// What there is of a socket of the pipe transport is nobody's to use.
func TestNoAccessToThePipeTransport(t *testing.T) {
	cfg := overPipes(t)
	u := start(t, cfg)
	l := listen(t, u, "web", "unix", cfg.Address+".web")
	if _, err := l.SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SyscallConn: %v", err)
	}
	if err := l.SetDeadline(time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Accept: %v", err)
	}
}

// A deadline is also that of a listener which comes later.
func TestDeadlineOfAListenerThatMoves(t *testing.T) {
	cfg := overPipes(t)
	first := start(t, cfg)
	listen(t, first, "web", "unix", cfg.Address+".web")
	ready(t, first)
	second := start(t, cfg)
	l := listen(t, second, "web", "unix", cfg.Address+".web")
	if err := l.SetDeadline(time.Now()); err != nil {
		t.Error(err)
	}
	ready(t, second)
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	select {
	case err := <-accepted:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Accept: %v", err)
		}
	case <-time.After(patience):
		t.Error("Accept waits beyond its deadline")
	}
}
