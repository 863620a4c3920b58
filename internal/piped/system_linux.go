package piped

import "afunix/internal/linuxpipe"

// system makes message pipes.
var system linuxpipe.System
