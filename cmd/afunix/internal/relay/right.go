package relay

import (
	"fmt"

	"afunix"
)

// A Right is a descriptor on its way. The relay does nothing with it but pass it on, as it came: on
// Unix it keeps its flags (O_NONBLOCK), which it shares with its sender.
type Right struct {
	afunix.Sendable
	close func()
}

// take takes all descriptors of a message, which the caller closes. If that fails, none is left.
func take(r afunix.Rights) ([]Right, error) {
	defer r.Close()
	rights := make([]Right, 0, r.Len())
	for i := range r.Len() {
		right, err := takeOne(r, i)
		if err != nil {
			Message{Rights: rights}.Close()
			return nil, err
		}
		rights = append(rights, right)
	}
	return rights, nil
}

// takeOne takes descriptor i. An end of the pipe transport has no value of its own.
func takeOne(r afunix.Rights, i int) (Right, error) {
	kind := r.Kind(i)
	d, err := r.Descriptor(i)
	if err == nil {
		return Right{d, func() { closeDescriptor(d, kind) }}, nil
	}
	switch kind {
	case afunix.KindUnixListener:
		l, e := r.Listener(i)
		if l, ok := l.(*afunix.Listener); ok && e == nil {
			return Right{l, func() { l.Close() }}, nil
		}
	case afunix.KindUnix:
		c, e := r.Conn(i)
		if c, ok := c.(*afunix.Conn); ok && e == nil {
			return Right{c, func() { c.Close() }}, nil
		}
	}
	return Right{}, fmt.Errorf("a descriptor that came cannot be passed on: %w", err)
}
