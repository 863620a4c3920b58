//go:build !linux && !windows

package afunix

import (
	"context"
	"errors"
	"net"

	"afunix/internal/transport"
)

// There is no pipe transport on this system.

func dialPipe(context.Context, *Dialer, string, *net.UnixAddr, *net.UnixAddr) (transport.Conn, error) {
	return nil, errors.ErrUnsupported
}

func listenPipe(context.Context, *ListenConfig, string, *net.UnixAddr) (transport.Listener, error) {
	return nil, errors.ErrUnsupported
}

func listenPacketPipe(context.Context, *ListenConfig, string, *net.UnixAddr) (transport.Conn, error) {
	return nil, errors.ErrUnsupported
}

func pairPipe(string) (a, b transport.Conn, err error) { return nil, nil, errors.ErrUnsupported }

func isNative(error) bool { return false }
