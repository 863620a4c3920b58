//go:build !linux && !windows

package afunix

import (
	"errors"

	"afunix/internal/transport"
)

func leavePipe(transport.Conn) (estate, error) { return estate{}, errors.ErrUnsupported }

func inheritPipe(uintptr, []byte) (transport.Conn, error) { return nil, errors.ErrUnsupported }
