package afunix

import (
	"errors"

	"afunix/internal/winpipe"
)

// A system makes the message pipes of this system.
type system = winpipe.System

// isNative reports whether a name turned out to be a socket file of Windows' own AF_UNIX.
func isNative(err error) bool { return errors.Is(err, winpipe.ErrNativeSocket) }
