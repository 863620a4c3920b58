//go:build !unix && !windows

package afunix

import (
	"errors"
	"net"
	"os"

	"afunix/internal/descriptor"
)

// Nothing is received on this system.

func newFile(uintptr, descriptor.Kind) (*os.File, error) { return nil, errors.ErrUnsupported }

func newNetConn(uintptr, descriptor.Kind) (net.Conn, error) { return nil, errors.ErrUnsupported }

func newNetListener(uintptr, descriptor.Kind) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}

func newPacketConn(uintptr, descriptor.Kind) (net.PacketConn, error) {
	return nil, errors.ErrUnsupported
}
