package upgrade

import (
	"context"
	"errors"
	"net"
	"time"

	"afunix"
)

// A PacketConn is a [net.PacketConn] that goes from process to process. It also has the methods of
// *[net.UDPConn] and *[afunix.Conn] for datagrams. Packages that ask for these methods by an
// interface can use it: quic-go, and the ReadBatch and WriteBatch of golang.org/x/net/ipv4.
// Packages that ask for the type itself cannot. What the socket below cannot do is
// [errors.ErrUnsupported].
type PacketConn struct {
	origin
	key  key
	addr net.Addr
	gate *gate[net.PacketConn]
	u    *Upgrader
}

var _ net.PacketConn = (*PacketConn)(nil)

// ReadFrom receives a datagram. Until [Upgrader.Ready] has succeeded, and once a successor has
// taken over, it takes nothing from the socket: it waits for its deadline, or for Close.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		inner, err := c.gate.pass()
		if err != nil {
			return 0, nil, &net.OpError{Op: "read", Net: c.key.Network, Source: c.addr, Err: err}
		}
		n, from, err := inner.ReadFrom(b)
		if err == nil || c.gate.admits(inner) {
			return n, from, err
		}
	}
}

// WriteTo sends a datagram. That also works after a successor has taken over, while this process
// finishes its work. Over the pipe transport it does not, because the socket has moved to the
// successor: [net.ErrClosed].
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	inner, err := c.gate.get()
	if err != nil {
		return 0, &net.OpError{Op: "write", Net: c.key.Network, Source: c.addr, Addr: to, Err: err}
	}
	return inner.WriteTo(b, to)
}

// Close closes the socket in this process. If a successor has taken over, the successor goes on
// with the socket.
func (c *PacketConn) Close() error {
	c.u.forget(c)
	return c.gate.close(func(net.PacketConn) {})
}

// LocalAddr returns the address to which c is bound.
func (c *PacketConn) LocalAddr() net.Addr { return c.addr }

// SetDeadline sets when ReadFrom and WriteTo give up; a zero time is never.
func (c *PacketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets when ReadFrom gives up; a zero time is never.
func (c *PacketConn) SetReadDeadline(t time.Time) (err error) {
	c.gate.update(func() {
		c.gate.deadline = t
		if c.gate.open { // else the socket has the deadline that keeps everybody from it
			err = c.gate.socket.SetReadDeadline(t)
		}
	})
	return err
}

// SetWriteDeadline sets when WriteTo gives up; a zero time is never.
func (c *PacketConn) SetWriteDeadline(t time.Time) error {
	inner, err := c.gate.get()
	if err != nil {
		return &net.OpError{Op: "set", Net: c.key.Network, Addr: c.addr, Err: err}
	}
	return inner.SetWriteDeadline(t)
}

func (c *PacketConn) id() key         { return c.key }
func (c *PacketConn) address() string { return c.addr.String() }

func (c *PacketConn) create(ctx context.Context, address string) error {
	inner, err := c.u.cfg.listenPacket(ctx, c.key.Network, address)
	if err != nil {
		return err
	}
	c.addr, c.gate = inner.LocalAddr(), newGate(inner)
	c.made(c.key.Network, address)
	return nil
}

func (c *PacketConn) adopt(o *offer) error {
	c.addr, c.gate = o.addr, newGate[net.PacketConn](nil)
	if !o.moves {
		inner, err := o.rights.PacketConn(0)
		if err != nil {
			return err
		}
		c.addr, c.gate = inner.LocalAddr(), newGate(inner)
	}
	c.from(o)
	return nil
}

func (c *PacketConn) lend() (afunix.Sendable, bool, error) {
	inner, err := c.gate.lend()
	if err != nil {
		return nil, false, err
	}
	return sendable(inner)
}

func (c *PacketConn) give() (afunix.Sendable, error) {
	c.shut()
	file, _, err := c.lend()
	return file, err
}

// leave keeps the socket, for those who still answer what they have received.
func (c *PacketConn) leave() { c.shut() }

// shut shuts the gate, also for those who have passed it and wait for a datagram.
func (c *PacketConn) shut() {
	c.gate.update(func() {
		c.gate.open = false
		if c.gate.socket != nil {
			c.gate.socket.SetReadDeadline(past) // fails if it has moved, and then nobody waits in it
		}
	})
}

func (c *PacketConn) restore(sent bool) error {
	if sent {
		c.gate.take() // nothing is left of it
		if err := c.removeFile(); err != nil {
			return err
		}
	}
	if err := c.prepare(); err != nil {
		return err
	}
	c.open()
	return nil
}

func (c *PacketConn) arrive(r afunix.Rights) error {
	inner, err := r.PacketConn(0)
	if err != nil {
		return err
	}
	c.gate.put(inner)
	return nil
}

func (c *PacketConn) withdraw() {
	if _, moves, err := c.lend(); err == nil && moves {
		c.gate.empty()
	}
}

// prepare makes another socket, if that which should have come here has not.
func (c *PacketConn) prepare() error {
	if _, err := c.gate.get(); err == nil {
		return nil
	}
	inner, err := c.u.cfg.listenPacket(c.u.stopped, c.key.Network, c.address())
	if err == nil {
		c.made(c.key.Network, c.address())
		c.gate.put(inner)
	}
	return err
}

func (c *PacketConn) open() {
	c.gate.update(func() {
		if c.gate.socket != nil {
			c.gate.socket.SetReadDeadline(c.gate.deadline) // fails only if nobody can read from it any more
			c.gate.open = true
		}
	})
}
