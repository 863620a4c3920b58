package winsock

import (
	"errors"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A PacketConn is a datagram socket, connected or not. It does what *net.UDPConn does, with the
// same errors, at the cost of a thread for each blocked call.
type PacketConn struct {
	*socket
	zone zone // belongs to the holder of reading.turn
}

var (
	_ net.PacketConn = (*PacketConn)(nil)
	_ net.Conn       = (*PacketConn)(nil)
	_ syscall.Conn   = (*PacketConn)(nil)
)

// errMissingAddress is what package net says, where it is not exported.
var errMissingAddress = errors.New("missing address")

// NewPacketConn makes a PacketConn of the datagram socket h, which must have been made for
// overlapped I/O and must not be inherited by child processes. On success the PacketConn owns h; on
// failure h is still the caller's: WSAENOTSOCK, WSAEPROTOTYPE for a socket of another type.
func NewPacketConn(h windows.Handle) (*PacketConn, error) {
	s, err := newSocket(h, windows.SOCK_DGRAM)
	if err != nil {
		return nil, err
	}
	for _, report := range []uint32{windows.SIO_UDP_CONNRESET, windows.SIO_UDP_NETRESET} {
		// As package net does: or a datagram that one peer refused would fail the next read, which
		// is of another peer's (go.dev/issue/5834). It matters only for sockets that no Go program
		// made; Wine 8 has no such switch, nor older Windows.
		_ = disable(h, report)
	}
	return &PacketConn{socket: s}, nil
}

// disable turns off a boolean mode of a socket.
func disable(h windows.Handle, mode uint32) error {
	var off, returned uint32
	return windows.WSAIoctl(h, mode, (*byte)(unsafe.Pointer(&off)), uint32(unsafe.Sizeof(off)), nil,
		0, &returned, nil, 0)
}

// ReadFrom receives one datagram. Of one that is longer than b the rest is lost; then n is len(b),
// there is no address, and the error is WSAEMSGSIZE, as in package net on Windows. An empty b
// receives nothing and does not wait.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.receiveFrom(b)
	return n, from, c.wrap("read", err)
}

func (c *PacketConn) receiveFrom(b []byte) (int, net.Addr, error) {
	if err := c.use(); err != nil {
		return 0, nil, err
	}
	defer c.done()
	if len(b) == 0 {
		return 0, nil, nil
	}
	d := &c.reading
	d.turn.Lock()
	defer d.turn.Unlock()
	n, err := c.read(d, submitRecvFrom, "wsarecvfrom", b)
	if err != nil {
		return n, nil, err
	}
	return n, d.op.source(&c.zone), nil
}

// Read receives one datagram, without its source; on a connected socket, one of the peer.
func (c *PacketConn) Read(b []byte) (int, error) {
	n, err := c.receive(b)
	return n, c.wrap("read", err)
}

// WriteTo sends b as one datagram to addr, a *net.UDPAddr. On a connected socket it fails with
// net.ErrWriteToConnected.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	n, err := c.sendTo(b, addr)
	if err != nil {
		return n, &net.OpError{Op: "write", Net: c.net, Source: c.local, Addr: addr, Err: err}
	}
	return n, nil
}

func (c *PacketConn) sendTo(b []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	switch {
	case !ok:
		return 0, syscall.EINVAL
	case c.remote != nil:
		return 0, net.ErrWriteToConnected
	case to == nil:
		return 0, errMissingAddress
	}
	if err := c.use(); err != nil {
		return 0, err
	}
	defer c.done()
	d := &c.writing
	d.turn.Lock()
	defer d.turn.Unlock()
	if err := d.op.setName(c.info.AddressFamily, to); err != nil {
		return 0, err
	}
	return c.do(d, submitSendTo, "wsasendto", b)
}

// Write sends b as one datagram to the peer of a connected socket.
func (c *PacketConn) Write(b []byte) (int, error) {
	n, err := c.send(b)
	return n, c.wrap("write", err)
}

// LocalAddr returns the local address, a *net.UDPAddr for UDP.
func (c *PacketConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the peer's address; nil if the socket is not connected.
func (c *PacketConn) RemoteAddr() net.Addr { return c.remote }

func submitRecvFrom(h windows.Handle, o *operation) error {
	o.nameLen = int32(unsafe.Sizeof(o.name))
	return windows.WSARecvFrom(h, &o.buf, 1, &o.moved, &o.flags, &o.name, &o.nameLen, &o.overlapped, nil)
}

func submitSendTo(h windows.Handle, o *operation) error {
	return windows.WSASendTo(h, &o.buf, 1, &o.moved, 0, &o.name, o.nameLen, &o.overlapped, nil)
}
