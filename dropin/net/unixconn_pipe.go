//go:build windows || (linux && afunix_pipe)

package net

import (
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"afunix"
	"afunix/dropin/internal/ends"
)

// UnixConn is net.UnixConn over the pipe transport of package afunix.
type UnixConn struct {
	*owned
	dialed  bool // package net then refuses to be told where to send to
	dropped runtime.Cleanup
}

var (
	_ net.Conn       = (*UnixConn)(nil)
	_ net.PacketConn = (*UnixConn)(nil)
	_ syscall.Conn   = (*UnixConn)(nil)
)

func newUnixConn(c *afunix.Conn, dialed bool) *UnixConn {
	return unixConn(ends.NewConn(c), dialed)
}

// unixConn returns a connection that owns the reference, also if it is dropped.
func unixConn(ref *ends.Ref, dialed bool) *UnixConn {
	c := &UnixConn{owned: &owned{ref: ref}, dialed: dialed}
	c.dropped = runtime.AddCleanup(c, (*owned).drop, c.owned)
	return c
}

func (c *UnixConn) ok() bool { return c != nil && c.owned != nil }

// opError is the shape that package net's errors of a connection have. A nil err stays nil.
func (c *UnixConn) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: c.ref.Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: plain(err)}
}

// setError is that of errors of setting something.
func (c *UnixConn) setError(err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "set", Net: c.ref.Network(), Addr: c.LocalAddr(), Err: plain(err)}
}

// Read implements the Conn Read method.
func (c *UnixConn) Read(b []byte) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.ref.Read(b)
	if len(b) > 0 {
		err = c.eofError(n, err)
	}
	if err != nil && err != io.EOF {
		err = c.opError("read", err)
	}
	return n, err
}

// eofError makes nothing the end, as package net does: a record of length 0 cannot be told from it.
func (c *UnixConn) eofError(n int, err error) error {
	if n == 0 && err == nil && c.ref.Network() != "unixgram" {
		return io.EOF
	}
	return err
}

// receiveError is the shape of the errors of what receives messages.
func (c *UnixConn) receiveError(err error) error {
	if bareEOF && err == io.EOF {
		return err
	}
	return c.opError("read", err)
}

// Write implements the Conn Write method.
func (c *UnixConn) Write(b []byte) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.ref.Write(b)
	return n, c.opError("write", err)
}

// ReadFromUnix acts like ReadFrom but returns a UnixAddr.
func (c *UnixConn) ReadFromUnix(b []byte) (int, *UnixAddr, error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	got, err := c.ref.Recv(b, nil, 0)
	err = c.eofError(got.N, err)
	return got.N, got.From, c.receiveError(renamed(err, "recvfrom"))
}

// ReadFrom implements the PacketConn ReadFrom method.
func (c *UnixConn) ReadFrom(b []byte) (int, Addr, error) {
	n, addr, err := c.ReadFromUnix(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadMsgUnix reads a message into b and the associated out-of-band data into oob. It returns the
// number of bytes copied into b, the number of bytes copied into oob, the flags that were set on
// the message and the source address of the message.
//
// Descriptors for which oob has no room are closed, and flags has MSG_CTRUNC. Those that are ends
// of this transport are numbers that the functions of the packages below afunix/dropin know.
func (c *UnixConn) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *UnixAddr, err error) {
	if !c.ok() {
		return 0, 0, 0, nil, syscall.EINVAL
	}
	got, err := c.ref.Recv(b, oob, ends.MsgCmsgCloexec)
	err = c.eofError(got.N, err)
	return got.N, got.OOBN, got.Flags, got.From, c.receiveError(err)
}

// WriteToUnix acts like WriteTo but takes a UnixAddr.
func (c *UnixConn) WriteToUnix(b []byte, addr *UnixAddr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	switch {
	case c.dialed:
		return 0, c.writeError(addr, net.ErrWriteToConnected)
	case addr == nil:
		return 0, c.writeError(addr, errMissingAddress)
	}
	n, err := c.sendTo(b, nil, addr)
	return n, c.writeError(addr, renamed(err, "sendto"))
}

// sendTo sends to addr, or to the peer if that is nil.
func (c *UnixConn) sendTo(b, oob []byte, addr *UnixAddr) (int, error) {
	if addr != nil && addr.Net != c.ref.Network() {
		return 0, syscall.EAFNOSUPPORT
	}
	return c.ref.Send(b, oob, addr, 0)
}

// writeError is the shape of the errors of what names its destination.
func (c *UnixConn) writeError(addr *UnixAddr, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "write", Net: c.ref.Network(), Source: c.LocalAddr(), Addr: opAddr(addr), Err: plain(err)}
}

// WriteTo implements the PacketConn WriteTo method.
func (c *UnixConn) WriteTo(b []byte, addr Addr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	to, ok := addr.(*UnixAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: c.ref.Network(), Source: c.LocalAddr(), Addr: addr,
			Err: syscall.EINVAL}
	}
	return c.WriteToUnix(b, to)
}

// WriteMsgUnix writes a message to addr via c, copying the payload from b and the associated
// out-of-band data from oob. It returns the number of payload and out-of-band bytes written.
//
// Descriptors may be closed as soon as it returns. Those that are ends of this transport move: here
// they behave as closed then.
func (c *UnixConn) WriteMsgUnix(b, oob []byte, addr *UnixAddr) (n, oobn int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	if c.dialed && c.ref.Network() == "unixgram" {
		err = net.ErrWriteToConnected
	} else {
		n, err = c.sendTo(b, oob, addr)
	}
	if err != nil {
		return n, 0, c.writeError(addr, err)
	}
	return n, len(oob), nil
}

// Close closes the connection.
func (c *UnixConn) Close() error {
	if !c.ok() {
		return syscall.EINVAL
	}
	c.dropped.Stop()
	return c.opError("close", c.close())
}

// CloseRead shuts down the reading side of the Unix domain connection.
func (c *UnixConn) CloseRead() error { return c.shutdown((*afunix.Conn).CloseRead) }

// CloseWrite shuts down the writing side of the Unix domain connection.
func (c *UnixConn) CloseWrite() error { return c.shutdown((*afunix.Conn).CloseWrite) }

func (c *UnixConn) shutdown(half func(*afunix.Conn) error) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.opError("close", c.ref.Do(func() error { return half(c.ref.Conn) }))
}

// LocalAddr returns the local network address.
func (c *UnixConn) LocalAddr() Addr {
	if !c.ok() {
		return nil
	}
	return c.ref.Conn.LocalAddr()
}

// RemoteAddr returns the remote network address.
func (c *UnixConn) RemoteAddr() Addr {
	if !c.ok() {
		return nil
	}
	return c.ref.Conn.RemoteAddr()
}

// SetDeadline implements the Conn SetDeadline method. Connections that were made of one by File and
// FileConn share deadlines.
func (c *UnixConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements the Conn SetReadDeadline method.
func (c *UnixConn) SetReadDeadline(t time.Time) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(c.ref.SetReadDeadline(t))
}

// SetWriteDeadline implements the Conn SetWriteDeadline method.
func (c *UnixConn) SetWriteDeadline(t time.Time) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(c.ref.SetWriteDeadline(t))
}

// SetReadBuffer sets the size of the operating system's receive buffer associated with the
// connection.
func (c *UnixConn) SetReadBuffer(bytes int) error {
	return c.setBuffer((*afunix.Conn).SetReadBuffer, bytes)
}

// SetWriteBuffer sets the size of the operating system's transmit buffer associated with the
// connection.
func (c *UnixConn) SetWriteBuffer(bytes int) error {
	return c.setBuffer((*afunix.Conn).SetWriteBuffer, bytes)
}

func (c *UnixConn) setBuffer(set func(*afunix.Conn, int) error, bytes int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(c.ref.Do(func() error { return set(c.ref.Conn, bytes) }))
}

// File returns a file whose descriptor is a copy of the connection's: the functions of the packages
// below afunix/dropin know it. Closing c does not affect it, and closing it does not affect c.
//
// The file cannot be read: see package afunix/dropin/net.
func (c *UnixConn) File() (*os.File, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	f, err := newFile(c.ref, c.ref.Network()+":"+name(c.LocalAddr())+"->"+name(c.RemoteAddr()))
	return f, c.opError("file", err)
}

// SyscallConn returns a raw network connection. Its descriptor is one that the functions of the
// packages below afunix/dropin know.
func (c *UnixConn) SyscallConn() (syscall.RawConn, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	return rawConn{c.owned, c, c.RemoteAddr(), c.LocalAddr()}, nil
}

// name is an address in the name of a file.
func name(a Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

func newFile(r *ends.Ref, name string) (*os.File, error) {
	fd := -1
	err := r.Do(func() (err error) {
		fd, err = r.NewFD()
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
