package piped

import "afunix/internal/winpipe"

// system makes message pipes.
var system winpipe.System
