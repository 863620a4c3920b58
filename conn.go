package afunix

import (
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"afunix/internal/inherit"
	"afunix/internal/transport"
)

// A Conn is a socket that does not listen. It is a [net.Conn], a [net.PacketConn] and a
// [syscall.Conn]. It is safe for concurrent use, and one Write or WriteMsg is never interleaved
// with another. A Conn that is dropped without Close is closed by the garbage collector, sooner or
// later.
//
// The WriteTo of a [net.Buffers] writes each slice by a Write of its own. Each slice becomes a
// record, and on a stream the slices of two writers mix. Use [Conn.WriteBuffers] instead.
type Conn struct {
	t        transport.Conn
	network  string
	attached atomic.Pointer[inherit.Legacy] // what AttachTo keeps for the child
	dropped  runtime.Cleanup
}

var (
	_ net.Conn       = (*Conn)(nil)
	_ net.PacketConn = (*Conn)(nil)
	_ syscall.Conn   = (*Conn)(nil)
	_ Sendable       = (*Conn)(nil)
)

func newConn(t transport.Conn, network string) *Conn {
	c := &Conn{t: t, network: network}
	c.closeWhenDropped()
	return c
}

// Read reads data. Descriptors that come with it are closed, as by read(2): use [Conn.ReadMsg] to
// receive them.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.t.Read(b)
	if err != nil {
		err = c.operation("read", "read").wrap(err)
	}
	return n, err
}

// Write writes data: all of it, unless there is an error.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.t.Write(b)
	if err != nil {
		err = c.operation("write", "write").wrap(err)
	}
	return n, err
}

// WriteBuffers writes what is in all slices by one Write, without joining them first: they are one
// record or datagram, and no other write comes in between on a stream. WriteBuffers changes neither
// the slices nor what is in them, unlike the WriteTo of [net.Buffers]: the same slices can be
// written to many connections. If an error stops a stream, n says how much has been written; of a
// record that is all or nothing. The slices are lent for the call.
//
// Over the kernel transport the slices are not copied (sendmsg(2) takes them as they are), unless a
// record has more than 1,024 of them. Over the pipe transport short slices are copied into packets.
func (c *Conn) WriteBuffers(v net.Buffers) (n int64, err error) {
	n, err = c.t.WriteBuffers(v)
	if err != nil {
		err = c.operation("write", "writev").wrap(err)
	}
	return n, err
}

// ReadFrom reads data and returns the sender's address, a *[net.UnixAddr], or nil if the sender has
// none. Descriptors are closed, as by Read.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	m, err := c.t.Recv(b, false)
	if err != nil && !errors.Is(err, ErrRightsTruncated) { // nobody wants the descriptors
		return 0, nil, c.operation("read", "recvfrom").wrap(err)
	}
	m.Rights.Close()
	if m.From == nil {
		return m.N, nil, nil
	}
	return m.N, m.From, nil
}

// WriteTo sends one datagram to the address, a *[net.UnixAddr].
func (c *Conn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UnixAddr)
	if !ok {
		op := c.operation("write", "sendto")
		return 0, &net.OpError{Op: op.op, Net: op.network, Source: netAddr(op.source), Addr: addr, Err: syscall.EINVAL}
	}
	if to == nil {
		return 0, c.operation("write", "sendto").wrap(errMissingAddress)
	}
	return c.WriteMsgTo(b, to)
}

// Close closes the socket. Blocked calls return [net.ErrClosed]. Descriptors that nobody received
// are closed.
func (c *Conn) Close() error {
	c.dropped.Stop()
	if l := c.attached.Swap(nil); l != nil {
		return c.operation("close", "close").wrap(l.Close())
	}
	return c.operation("close", "close").wrap(c.t.Close())
}

// CloseRead shuts down the reading side: the peer's writes fail with EPIPE.
func (c *Conn) CloseRead() error { return c.operation("close", "shutdown").wrap(c.t.CloseRead()) }

// CloseWrite shuts down the writing side: the peer reads what was written, and then the end of the
// stream.
func (c *Conn) CloseWrite() error { return c.operation("close", "shutdown").wrap(c.t.CloseWrite()) }

// LocalAddr returns this end's address, a *[net.UnixAddr]. An end without a name is called "@".
func (c *Conn) LocalAddr() net.Addr { return netAddr(c.t.LocalAddr()) }

// RemoteAddr returns the peer's address, a *[net.UnixAddr]. A peer without a name is called "@".
// The address is nil if the socket is not connected.
func (c *Conn) RemoteAddr() net.Addr { return netAddr(c.t.RemoteAddr()) }

// SetDeadline sets when calls give up with [os.ErrDeadlineExceeded]; a zero time is never.
func (c *Conn) SetDeadline(t time.Time) error { return c.set(c.t.SetDeadline(t)) }

// SetReadDeadline sets the deadline of everything that receives.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.set(c.t.SetReadDeadline(t)) }

// SetWriteDeadline sets the deadline of everything that sends.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.set(c.t.SetWriteDeadline(t)) }

// SetReadBuffer sets the size of the receive buffer: SO_RCVBUF.
func (c *Conn) SetReadBuffer(bytes int) error { return c.set(c.t.SetReadBuffer(bytes)) }

// SetWriteBuffer sets the size of the send buffer: SO_SNDBUF.
func (c *Conn) SetWriteBuffer(bytes int) error { return c.set(c.t.SetWriteBuffer(bytes)) }

// SetPassCredentials sets whether received messages carry the credentials of their sender:
// SO_PASSCRED.
func (c *Conn) SetPassCredentials(on bool) error { return c.set(c.t.SetPassCredentials(on)) }

// PeerCredentials returns the credentials of the process that connected, or that listened. For an
// end of a pair they are those of the process that made the pair. The system vouches for the
// credentials. They do not change when the socket is handed on. EPERM: the system does not say who
// it is, as it may not of a plain client at the name of a pipe before something of it has been
// read.
func (c *Conn) PeerCredentials() (Credentials, error) {
	peer, err := c.t.PeerCredentials()
	return Credentials(peer), c.operation("get", "getsockopt").wrap(err)
}

// Transport tells which transport carries the connection.
func (c *Conn) Transport() Transport { return Transport(c.t.Transport()) }

// Packets tells how many packets the pipe transport has sent and received over this connection. The
// transport's own packets count, except the three that begin a connection. The kernel transport has
// no packets: ok is false.
func (c *Conn) Packets() (sent, received uint64, ok bool) { return c.t.Packets() }

// SyscallConn gives access to the descriptor. Over the pipe transport that is the descriptor of the
// message pipe: do no I/O with it.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.t.SyscallConn()
	return rawOf(c, c.Transport(), raw, err)
}

// set wraps the error of setting something, in which package net names this end only.
func (c *Conn) set(err error) error {
	if err == nil {
		return nil
	}
	return operation{op: "set", network: c.network, addr: c.t.LocalAddr(), call: "setsockopt"}.wrap(err)
}

func (c *Conn) operation(op, call string) operation {
	return operation{op: op, network: c.network, source: c.t.LocalAddr(), addr: c.t.RemoteAddr(), call: call}
}
