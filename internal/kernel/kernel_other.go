//go:build !unix && !windows

package kernel

import (
	"context"
	"errors"
	"net"

	"afunix/internal/cred"
	"afunix/internal/transport"
)

// This system has no AF_UNIX.

// A Conn does not exist here.
type Conn struct{ transport.Conn }

// A Listener does not exist here.
type Listener struct{ transport.Listener }

// Dial is not possible here.
func Dial(context.Context, string, *net.UnixAddr, string, func(cred.Credentials) error) (*Conn, error) {
	return nil, errors.ErrUnsupported
}

// Listen is not possible here.
func Listen(context.Context, string, string, Config) (*Listener, error) {
	return nil, errors.ErrUnsupported
}

// ListenPacket is not possible here.
func ListenPacket(context.Context, string, string, Config) (*Conn, error) {
	return nil, errors.ErrUnsupported
}

// Pair is not possible here.
func Pair(string) (a, b *Conn, err error) { return nil, nil, errors.ErrUnsupported }
