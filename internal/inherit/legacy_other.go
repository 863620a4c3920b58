//go:build !unix && !windows

package inherit

import (
	"errors"
	"os/exec"
)

// Nothing is inherited on this system: there are no pairs.

// A Legacy does not exist here.
type Legacy struct{}

// Close does nothing.
func (*Legacy) Close() error { return nil }

func newLegacy(uintptr) (*Legacy, error) { return nil, errors.ErrUnsupported }

func (*Legacy) attach(_ *exec.Cmd, b Bequest) Bequest { return b }

func secure(Bequest) bool { return false }
