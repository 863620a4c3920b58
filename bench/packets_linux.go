package bench

import "afunix/internal/linuxpipe"

// A system makes the message pipes of this system.
type system = linuxpipe.System
