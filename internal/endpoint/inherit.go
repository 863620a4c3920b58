package endpoint

import (
	"errors"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/wire"
)

// This file is about an end that a child process inherits (P8): its descriptor goes to the child by
// the system's own means, and its state by the environment, so no message carries it.

// A Bequest is an end that waits for a child.
type Bequest struct {
	Value uintptr // the descriptor of its pipe: open until Done
	State []byte
	c     *Conn
	move  *move.Outgoing
}

// Bequeath gets c ready to be inherited. It fails with ETOOMANYREFS if descriptors wait to be
// received from it, and with os.ErrDeadlineExceeded if its write deadline comes before its peer has
// taken note. An error means that nothing has changed. Otherwise the caller calls Done or Keep.
func (c *Conn) Bequeath() (*Bequest, error) {
	b := &Bequest{c: c, move: move.New(nil, nil, nil)}
	err := b.move.Nest([]move.End{c})
	if err == nil && c.holdsDescriptors() {
		err = syscall.ETOOMANYREFS
	}
	if err == nil {
		b.Value, err = c.Descriptor()
	}
	if err != nil {
		b.Keep()
		return nil, err
	}
	if err := c.Pack(b.move); err != nil {
		b.Keep()
		return nil, err
	}
	b.State = b.move.State()
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
func (b *Bequest) Keep() { b.move.Stay() }

// Done ends what this process had of the end. Whoever has a duplicate of the descriptor, and the
// state, has the end.
func (b *Bequest) Done() { b.move.Finish() }

// An heir makes the end that this process has inherited, which is a connection: see move.Builder.
type heir struct{ c *session }

func (h heir) Build(in *move.Incoming, _ wire.Tag, v uintptr) (move.End, error) {
	return builder{h.c, in}.conn(v)
}

// Inherit makes a connection of what Bequeath returned in another process, which is believed: it
// has started this one. It owns v.
func Inherit(w *World, v uintptr, state []byte) (*Conn, error) {
	parent := &session{table: descriptor.System, world: w}
	parent.peer.writers = []cred.Credentials{cred.Self()}
	e, err := move.Inherit(state, v, parent.table, heir{parent})
	if err != nil {
		return nil, err
	}
	c := e.(*Conn)
	c.Start()
	c.Taken()
	return c, nil
}
