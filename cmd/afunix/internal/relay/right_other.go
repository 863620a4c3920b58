//go:build !unix && !windows

package relay

import "afunix"

// closeDescriptor has nothing to close where no descriptor can be received.
func closeDescriptor(afunix.Descriptor, afunix.Kind) {}
