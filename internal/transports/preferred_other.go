//go:build !windows

package transports

import (
	"afunix/internal/kernel"
	"afunix/internal/transport"
)

// preferred is the kernel transport, which passes descriptors wherever there is one.
type preferred = kernel.Transport

// plain is none: other systems have one kind of local stream, the kernel's.
type plain = transport.None
