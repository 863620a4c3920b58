package winsock

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/leaktest"
)

// udpCalls is what package net's *UDPConn has beside what net.PacketConn wants.
type udpCalls interface {
	ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
	ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error)
	WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
	WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
	ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

var (
	_ udpCalls = (*net.UDPConn)(nil)
	_ udpCalls = (*PacketConn)(nil)
)

// Each way to receive gives what package net gives, for a socket of either family.
func TestUDPCallsReceive(t *testing.T) {
	leaktest.Check(t)
	for _, network := range []string{"udp4", "udp6"} {
		host := map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[network]
		x, err := net.ListenPacket(network, host)
		if err != nil {
			t.Log(err)
			continue
		}
		c := newPacketConn(t, x.(*net.UDPConn))
		c.SetDeadline(time.Now().Add(20 * time.Second))
		peer, err := net.Dial(network, c.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		for name, receive := range map[string]func(b []byte) (int, string, error){
			"ReadMsgUDP": func(b []byte) (int, string, error) {
				n, oobn, _, from, err := c.ReadMsgUDP(b, make([]byte, 100))
				return n + oobn, from.String(), err
			},
			"ReadMsgUDPAddrPort": func(b []byte) (int, string, error) {
				n, _, _, from, err := c.ReadMsgUDPAddrPort(b, nil)
				return n, from.String(), err
			},
			"ReadFromUDPAddrPort": func(b []byte) (int, string, error) {
				n, from, err := c.ReadFromUDPAddrPort(b)
				return n, from.String(), err
			},
		} {
			if _, err := peer.Write([]byte("text")); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 100)
			if n, from, err := receive(b); string(b[:n]) != "text" || from != peer.LocalAddr().String() || err != nil {
				t.Errorf("%s: %q from %s, %v", name, b[:n], from, err)
			}
		}
	}
}

func TestUDPCallsSend(t *testing.T) {
	leaktest.Check(t)
	c, peer := newPacketConn(t, listenUDP(t)), listenUDP(t)
	to := peer.LocalAddr().(*net.UDPAddr)
	for name, send := range map[string]func() (int, error){
		"WriteMsgUDP": func() (int, error) { n, _, err := c.WriteMsgUDP([]byte("text"), nil, to); return n, err },
		"WriteMsgUDPAddrPort": func() (int, error) {
			n, _, err := c.WriteMsgUDPAddrPort([]byte("text"), nil, to.AddrPort())
			return n, err
		},
		"WriteToUDPAddrPort": func() (int, error) { return c.WriteToUDPAddrPort([]byte("text"), to.AddrPort()) },
	} {
		if n, err := send(); n != 4 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		b := make([]byte, 10)
		peer.SetDeadline(time.Now().Add(20 * time.Second))
		if n, from, err := peer.ReadFrom(b); string(b[:n]) != "text" || from.String() != c.LocalAddr().String() || err != nil {
			t.Errorf("%s: %q from %v, %v", name, b[:n], from, err)
		}
	}
	if _, _, err := c.WriteMsgUDP([]byte("x"), nil, nil); err == nil {
		t.Error("sent to nobody")
	}
}

// With IP_PKTINFO each datagram says to which address it came.
func TestAncillaryDataOfUDP(t *testing.T) {
	leaktest.Check(t)
	c := newPacketConn(t, listenUDP(t))
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const pktInfo = 19 // IP_PKTINFO in ws2ipdef.h
	var set error
	if err := raw.Control(func(h uintptr) {
		set = windows.SetsockoptInt(windows.Handle(h), windows.IPPROTO_IP, pktInfo, 1)
	}); err != nil || set != nil {
		t.Fatal(err, set)
	}
	peer, err := net.Dial("udp4", c.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if _, err := peer.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	b, oob := make([]byte, 10), make([]byte, 100)
	n, oobn, _, _, err := c.ReadMsgUDP(b, oob)
	if string(b[:n]) != "text" || oobn == 0 || err != nil {
		t.Errorf("%q with %d bytes of ancillary data, %v", b[:n], oobn, err)
	}
}

func TestUDPCallsObeyDeadlineAndClose(t *testing.T) {
	leaktest.Check(t)
	c := newPacketConn(t, listenUDP(t))
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, _, _, _, err := c.ReadMsgUDP(make([]byte, 10), make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ReadMsgUDP: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	read := make(chan error, 1)
	go func() {
		_, _, _, _, err := c.ReadMsgUDP(make([]byte, 10), nil)
		read <- err
	}()
	c.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadMsgUDP: %v", err)
	}
	if _, _, err := c.WriteMsgUDP(nil, nil, new(net.UDPAddr)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteMsgUDP: %v", err)
	}
}
