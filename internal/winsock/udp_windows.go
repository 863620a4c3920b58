package winsock

import (
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// ReadMsgUDP receives one datagram and its ancillary data, with the flags that say what did not fit
// (MSG_TRUNC, MSG_CTRUNC).
func (c *PacketConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, oobn, flags, addr, err = c.receiveMsg(b, oob)
	return n, oobn, flags, addr, c.wrap("read", err)
}

// ReadMsgUDPAddrPort is ReadMsgUDP with another sort of address.
func (c *PacketConn) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	n, oobn, flags, from, err := c.receiveMsg(b, oob)
	return n, oobn, flags, addrPort(from), c.wrap("read", err)
}

// ReadFromUDPAddrPort is ReadFrom with another sort of address.
func (c *PacketConn) ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error) {
	n, from, err := c.receiveFrom(b)
	udp, _ := from.(*net.UDPAddr)
	return n, addrPort(udp), c.wrap("read", err)
}

// WriteMsgUDP sends b with ancillary data as one datagram: to addr, or, with nil, to the peer of a
// connected socket.
func (c *PacketConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if n, err = c.sendMsg(b, oob, addr); err != nil {
		var to net.Addr
		if addr != nil {
			to = addr
		}
		return n, 0, &net.OpError{Op: "write", Net: c.net, Source: c.local, Addr: to, Err: err}
	}
	return n, len(oob), nil
}

// WriteMsgUDPAddrPort is WriteMsgUDP with another sort of address.
func (c *PacketConn) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	if !addr.IsValid() {
		return c.WriteMsgUDP(b, oob, nil)
	}
	return c.WriteMsgUDP(b, oob, net.UDPAddrFromAddrPort(addr))
}

// WriteToUDPAddrPort is WriteTo with another sort of address.
func (c *PacketConn) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	return c.WriteTo(b, net.UDPAddrFromAddrPort(addr))
}

// SetReadBuffer sets the size of the system's buffer for what has not been read (SO_RCVBUF).
func (s *socket) SetReadBuffer(bytes int) error {
	return s.set(windows.SOL_SOCKET, windows.SO_RCVBUF, bytes)
}

// SetWriteBuffer sets the size of the system's buffer for what has not been sent (SO_SNDBUF).
func (s *socket) SetWriteBuffer(bytes int) error {
	return s.set(windows.SOL_SOCKET, windows.SO_SNDBUF, bytes)
}

func addrPort(a *net.UDPAddr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	return a.AddrPort()
}

func (c *PacketConn) receiveMsg(b, oob []byte) (n, oobn, flags int, from *net.UDPAddr, err error) {
	if err := c.use(); err != nil {
		return 0, 0, 0, nil, err
	}
	defer c.done()
	d := &c.reading
	d.turn.Lock()
	defer d.turn.Unlock()
	d.op.attach(oob)
	defer d.op.detach()
	if n, err = c.read(d, submitRecvMsg, "wsarecvmsg", b); err != nil {
		return n, 0, 0, nil, err
	}
	from, _ = d.op.source(&c.zone).(*net.UDPAddr)
	return n, int(d.op.msg.Control.Len), int(d.op.msg.Flags), from, nil
}

func (c *PacketConn) sendMsg(b, oob []byte, to *net.UDPAddr) (int, error) {
	switch {
	case to == nil && c.remote == nil:
		return 0, errMissingAddress
	case to != nil && c.remote != nil:
		return 0, net.ErrWriteToConnected
	}
	if err := c.use(); err != nil {
		return 0, err
	}
	defer c.done()
	d := &c.writing
	d.turn.Lock()
	defer d.turn.Unlock()
	d.op.nameLen = 0
	if to != nil {
		if err := d.op.setName(c.info.AddressFamily, to); err != nil {
			return 0, err
		}
	}
	d.op.attach(oob)
	defer d.op.detach()
	return c.do(d, submitSendMsg, "wsasendmsg", b)
}

// attach adds ancillary data to the next call. The caller holds the turn.
func (o *operation) attach(oob []byte) {
	o.control = windows.WSABuf{}
	if len(oob) > 0 {
		o.oobPinner.Pin(unsafe.SliceData(oob))
		o.control = windows.WSABuf{Len: uint32(min(len(oob), maxIO)), Buf: unsafe.SliceData(oob)}
	}
}

// detach lets go of the ancillary data.
func (o *operation) detach() {
	o.oobPinner.Unpin()
	o.control = windows.WSABuf{}
}

// message describes the call to WSARecvMsg or WSASendMsg.
func (o *operation) message(nameLen int32) *windows.WSAMsg {
	o.msg = windows.WSAMsg{Namelen: nameLen, Buffers: &o.buf, BufferCount: 1, Control: o.control}
	if nameLen > 0 {
		o.msg.Name = (*syscall.RawSockaddrAny)(unsafe.Pointer(&o.name))
	}
	return &o.msg
}

func submitRecvMsg(h windows.Handle, o *operation) error {
	return windows.WSARecvMsg(h, o.message(int32(unsafe.Sizeof(o.name))), &o.moved, &o.overlapped, nil)
}

func submitSendMsg(h windows.Handle, o *operation) error {
	return windows.WSASendMsg(h, o.message(o.nameLen), 0, &o.moved, &o.overlapped, nil)
}
