package ends

import (
	"afunix"
	"afunix/internal/descriptor"
)

// prepare keeps whoever gets the received handle d from binding it to the poller of Go's runtime:
// of a socket, too, os.NewFile would do so. Child processes inherit what they are told to, whatever
// was asked for.
func prepare(d afunix.Descriptor, _ bool) { descriptor.KeepOffPoller(uintptr(d)) }
