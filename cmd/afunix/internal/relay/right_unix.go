//go:build unix

package relay

import (
	"syscall"

	"afunix"
)

// closeDescriptor closes a descriptor of any kind. Nobody can do anything about an error.
func closeDescriptor(d afunix.Descriptor, _ afunix.Kind) { _ = syscall.Close(int(d)) }
