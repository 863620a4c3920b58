package transport

import (
	"context"
	"errors"
	"net"
)

// None is a transport that this system does not have.
type None struct{}

// Dial is not possible.
func (None) Dial(context.Context, string, *net.UnixAddr, string, Authorize) (Conn, error) {
	return nil, errors.ErrUnsupported
}

// Listen is not possible.
func (None) Listen(context.Context, string, string, Options) (Listener, error) {
	return nil, errors.ErrUnsupported
}

// ListenPacket is not possible.
func (None) ListenPacket(context.Context, string, string, Options) (Conn, error) {
	return nil, errors.ErrUnsupported
}

// Pair is not possible.
func (None) Pair(string) (a, b Conn, err error) { return nil, nil, errors.ErrUnsupported }

// Inherit is not possible.
func (None) Inherit(uintptr, []byte) (Conn, error) { return nil, errors.ErrUnsupported }
