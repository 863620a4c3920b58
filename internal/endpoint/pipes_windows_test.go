package endpoint_test

import "afunix/internal/winpipe"

// opener is the System of real pipes.
type opener = winpipe.System
