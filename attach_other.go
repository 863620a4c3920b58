//go:build !unix && !windows

package afunix

import (
	"errors"
	"os/exec"

	"afunix/internal/kernel"
	"afunix/internal/transport"
)

// Nothing is inherited on this system: there are no pairs.

// A legacy does not exist here.
type legacy struct{}

func (*legacy) Close() error { return nil }

func (*legacy) attach(_ *exec.Cmd, b bequest) bequest { return b }

func secure(bequest) bool { return false }

func leaveKernel(*kernel.Conn) (estate, error) { return estate{}, errors.ErrUnsupported }

func inheritKernel(uintptr) (transport.Conn, error) { return nil, errors.ErrUnsupported }
