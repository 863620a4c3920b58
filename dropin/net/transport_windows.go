package net

import "afunix"

// dialTransport finds sockets of Windows' own AF_UNIX, too.
const dialTransport = afunix.DefaultTransport
