package upgrade

import (
	"net"
	"net/netip"
)

// A udpSocket is what package net's *UDPConn can do beyond a net.PacketConn. Programs that need it
// (quic-go, golang.org/x/net/ipv4 and ipv6) ask for it by interfaces like this.
type udpSocket interface {
	ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
	ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error)
	WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
	WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
	ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

var (
	_ udpSocket = (*net.UDPConn)(nil)
	_ udpSocket = (*PacketConn)(nil)
	_ net.Conn  = (*PacketConn)(nil)
)

// The methods from here on are those of *[net.UDPConn]. Those that receive wait as ReadFrom does;
// with a socket that is none of UDP they fail with [errors.ErrUnsupported].

// ReadMsgUDP receives a datagram and its ancillary data.
func (c *PacketConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	for {
		inner, u, err := c.receiver()
		if err != nil {
			return 0, 0, 0, nil, err
		}
		n, oobn, flags, addr, err = u.ReadMsgUDP(b, oob)
		if err == nil || c.gate.admits(inner) {
			return n, oobn, flags, addr, err
		}
	}
}

// ReadMsgUDPAddrPort is ReadMsgUDP without an allocation.
func (c *PacketConn) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	for {
		inner, u, err := c.receiver()
		if err != nil {
			return 0, 0, 0, netip.AddrPort{}, err
		}
		n, oobn, flags, addr, err = u.ReadMsgUDPAddrPort(b, oob)
		if err == nil || c.gate.admits(inner) {
			return n, oobn, flags, addr, err
		}
	}
}

// ReadFromUDPAddrPort is ReadFrom without an allocation.
func (c *PacketConn) ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error) {
	for {
		inner, u, err := c.receiver()
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		n, addr, err = u.ReadFromUDPAddrPort(b)
		if err == nil || c.gate.admits(inner) {
			return n, addr, err
		}
	}
}

// receiver waits until something may be taken from the socket.
func (c *PacketConn) receiver() (inner net.PacketConn, u udpSocket, err error) {
	if inner, err = c.gate.pass(); err == nil {
		u, err = as[udpSocket](inner, nil)
	}
	if err != nil {
		return nil, nil, c.failed("read", err)
	}
	return inner, u, nil
}

// WriteMsgUDP sends a datagram with ancillary data.
func (c *PacketConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	u, err := c.sender()
	if err != nil {
		return 0, 0, err
	}
	return u.WriteMsgUDP(b, oob, addr)
}

// WriteMsgUDPAddrPort is WriteMsgUDP without an allocation.
func (c *PacketConn) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	u, err := c.sender()
	if err != nil {
		return 0, 0, err
	}
	return u.WriteMsgUDPAddrPort(b, oob, addr)
}

// WriteToUDPAddrPort is WriteTo without an allocation.
func (c *PacketConn) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	u, err := c.sender()
	if err != nil {
		return 0, err
	}
	return u.WriteToUDPAddrPort(b, addr)
}

func (c *PacketConn) sender() (udpSocket, error) {
	u, err := as[udpSocket](c.gate.get())
	if err != nil {
		return nil, c.failed("write", err)
	}
	return u, nil
}

// Read receives a datagram, without its source.
func (c *PacketConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFrom(b)
	return n, err
}

// Write sends a datagram to the peer of a connected socket.
func (c *PacketConn) Write(b []byte) (int, error) {
	inner, err := as[net.Conn](c.gate.get())
	if err != nil {
		return 0, c.failed("write", err)
	}
	return inner.Write(b)
}

// RemoteAddr returns the peer's address of a connected socket, and else nil.
func (c *PacketConn) RemoteAddr() net.Addr {
	inner, err := as[net.Conn](c.gate.get())
	if err != nil {
		return nil
	}
	return inner.RemoteAddr()
}
