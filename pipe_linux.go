package afunix

import "afunix/internal/linuxpipe"

// A system makes the message pipes of this system.
type system = linuxpipe.System

// isNative reports whether a name turned out to be a socket of the system's own AF_UNIX. Here every name is one.
func isNative(error) bool { return false }
