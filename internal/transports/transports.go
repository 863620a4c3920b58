// Package transports has the transports of this system by their numbers, and says which of them is
// the default.
package transports

import (
	"afunix/internal/kernel"
	"afunix/internal/piped"
	"afunix/internal/transport"
)

var byID = [...]transport.Transport{
	transport.Default: preferred{},
	transport.Kernel:  kernel.Transport{},
	transport.Pipe:    piped.Transport{},
	transport.Plain:   plain{},
}

// Get returns the transport with a number. If there is none it returns a transport that can do
// nothing.
func Get(id transport.ID) transport.Transport {
	if id < 0 || int(id) >= len(byID) {
		return transport.None{}
	}
	return byID[id]
}
