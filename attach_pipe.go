//go:build linux || windows

package afunix

import (
	"errors"
	"syscall"

	"afunix/internal/endpoint"
	"afunix/internal/transport"
)

// maxBequest bounds the state of an end, which has to fit into an environment beside everything else (32,767 characters on Windows).
const maxBequest = 8 << 10

// leavePipe gets an end of the pipe transport ready for a child.
func leavePipe(t transport.Conn) (estate, error) {
	c, ok := t.(*endpoint.Conn)
	if !ok {
		return estate{}, errors.ErrUnsupported // a datagram socket with a name is more than one descriptor
	}
	b, err := c.Bequeath()
	if err != nil {
		return estate{}, err
	}
	l, err := newLegacy(b.Value)
	if len(b.State) > maxBequest && err == nil {
		l.Close()
		err = syscall.EMSGSIZE
	}
	if err != nil {
		b.Keep()
		return estate{}, err
	}
	return estate{legacy: l, state: b.State, done: b.Done}, nil
}

func inheritPipe(v uintptr, state []byte) (transport.Conn, error) {
	c, err := endpoint.Inherit(&world, v, state)
	if err != nil {
		return nil, err
	}
	return c, nil
}
