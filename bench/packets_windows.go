package bench

import "afunix/internal/winpipe"

// A system makes the message pipes of this system.
type system = winpipe.System
