package ends

import (
	"afunix"
	"afunix/internal/descriptor"
)

// prepare keeps the received handle d from being bound to the poller of Go's runtime, which
// os.NewFile would do, of a socket, too. Child processes inherit the handles that they are told to
// inherit, whatever was asked for here.
func prepare(d afunix.Descriptor, _ bool) { descriptor.KeepOffPoller(uintptr(d)) }
