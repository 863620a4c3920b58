package endpoint_test

import "afunix/internal/linuxpipe"

// opener is the System of real pipes.
type opener = linuxpipe.System
