package endpoint

import (
	"errors"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/wire"
)

// This file is about an end that a child process inherits (P8): its descriptor goes to the child by the system's own means, and its
// state by the environment, so no message carries it.

// A Bequest is an end that waits for a child.
type Bequest struct {
	Value uintptr // the descriptor of its pipe: open until Done
	State []byte
	c     *Conn
	departure
}

// Bequeath gets c ready to be inherited. It fails with ETOOMANYREFS if descriptors wait to be received from it, and with
// os.ErrDeadlineExceeded if its write deadline comes before its peer has taken note. An error means that nothing has changed. Otherwise the
// caller calls Done or Keep.
func (c *Conn) Bequeath() (*Bequest, error) {
	b := &Bequest{c: c}
	err := b.begin(c)
	if err == nil {
		err = c.ready(&b.departure)
	}
	if err == nil && c.holdsDescriptors() {
		err = syscall.ETOOMANYREFS
	}
	if err == nil {
		b.Value, err = c.descriptor()
	}
	if err != nil {
		b.Keep()
		return nil, err
	}
	p := new(parcel) // which nobody carries: it takes nothing but the state
	if err := c.pack(p); err != nil {
		b.Keep()
		return nil, err
	}
	b.State = p.states
	return b, nil
}

// HandDown gives c to a child process. It fails as Bequeath does.
func (c *Conn) HandDown(give func(v uintptr, state []byte) error) error {
	b, err := c.Bequeath()
	if err != nil {
		return err
	}
	if err := give(b.Value, b.State); err != nil {
		b.Keep()
		return err
	}
	b.Done()
	return nil
}

// HandDown is not possible: a datagram socket that has a name is more than one descriptor.
func (s *PacketConn) HandDown(func(v uintptr, state []byte) error) error {
	return errors.ErrUnsupported
}

func (c *Conn) holdsDescriptors() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, segments := c.in.box.Look()
	for i := range segments {
		if segments[i].Rights != nil {
			return true
		}
	}
	return false
}

// Keep goes on with the end here.
func (b *Bequest) Keep() { b.stay() }

// Done ends what this process had of the end. Whoever has a duplicate of the descriptor, and the state, has the end.
func (b *Bequest) Done() {
	b.c.moved()
	b.c.release()
}

// Inherit makes a connection of what Bequeath returned in another process, which is believed: it has started this one. It owns v.
func Inherit(w *World, v uintptr, state []byte) (*Conn, error) {
	parent := &session{table: descriptor.System, world: w}
	parent.peer.writers = []cred.Credentials{cred.Self()}
	u := &unpacker{c: parent, baggage: baggage{states: state}}
	tag, rest, err := wire.ParseTag(state)
	if err != nil || tag != wire.ConnTag {
		u.close(v, descriptor.Unix)
		return nil, errors.Join(badLuggage("state %d of an inherited end", tag), err)
	}
	u.states = rest
	c, err := u.conn(v)
	if err != nil {
		return nil, badState(err)
	}
	if len(u.states) > 0 {
		c.Close()
		return nil, badLuggage("%d bytes behind the state of an inherited end", len(u.states))
	}
	c.start()
	c.Taken()
	return c, nil
}
