package endpoint

import (
	"io"
	"net"
	"strings"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// Config is what both sides of a connection, and a listener, are made with.
type Config struct {
	Type      sock.Type
	Local     string                       // the name that this end is bound to; "" if it is not
	Dialled   string                       // the name that led to the peer, which may be too long for the peer's hello
	Authorize func(cred.Credentials) error // an error refuses the peer; nil lets everybody in
	Table     descriptor.Table             // nil means descriptor.System
	Autobind  Autobind                     // for a socket without a name that wants credentials; nil: it stays without
	World     *World                       // what ends that move need; nil: none can
}

// A World is what an end needs in the process that it moves to (P8).
type World struct {
	System pipe.Opener
	pipe.Network
	Autobind func(sock.Type) Autobind

	// Plain makes a stream of a guest who is accepted, whom it owns, also if it fails. local is the
	// name of the listener. Without it no guests come.
	Plain func(guest pipe.Guest, local *net.UnixAddr) (transport.Conn, error)
}

// Autobind binds a name of the system's choice, which is free again when it is closed.
type Autobind func() (name string, bound io.Closer, err error)

func (cfg *Config) table() descriptor.Table {
	if cfg.Table == nil {
		return descriptor.System
	}
	return cfg.Table
}

// sayable is a name as a packet carries it. A path may be longer (see package longpath), and is
// left out: whoever has dialled it knows it.
func sayable(name string) string {
	if len(name) > wire.MaxName {
		return ""
	}
	return name
}

// noName is how package net shows that there is none.
const noName = "@"

// address is how package net shows a name: an end without one is "@", and an abstract name ends at
// its first NUL (row 188).
func address(t sock.Type, name string) *net.UnixAddr {
	if name == "" {
		name = noName
	}
	name, _, _ = strings.Cut(name, "\x00")
	return &net.UnixAddr{Name: name, Net: t.Network()}
}
