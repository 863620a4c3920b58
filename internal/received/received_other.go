//go:build !unix && !windows

package received

import (
	"errors"
	"net"
	"os"

	"afunix/internal/descriptor"
	"afunix/internal/transport"
)

// Nothing is received on this system.

// File is not possible.
func File(uintptr, descriptor.Kind, string) (*os.File, error) { return nil, errors.ErrUnsupported }

// NoEnd is the error for every descriptor.
func NoEnd(descriptor.Kind, string) error { return errors.ErrUnsupported }

// Conn is not possible.
func Conn(uintptr, descriptor.Kind, func(transport.Conn) net.Conn) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

// Listener is not possible.
func Listener(uintptr, descriptor.Kind, func(transport.Listener) net.Listener) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}

// PacketConn is not possible.
func PacketConn(uintptr, descriptor.Kind, func(transport.Conn) net.PacketConn) (net.PacketConn, error) {
	return nil, errors.ErrUnsupported
}
