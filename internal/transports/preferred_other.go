//go:build !windows

package transports

import "afunix/internal/kernel"

// preferred is the kernel transport, which passes descriptors wherever there is one.
type preferred = kernel.Transport
