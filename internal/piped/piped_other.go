//go:build !linux && !windows

package piped

import "afunix/internal/transport"

// Transport is one that this system does not have.
type Transport = transport.None
