package piped

import (
	"syscall"

	"afunix/internal/endpoint"
	"afunix/internal/lookalike"
	"afunix/internal/pipe"
	"afunix/internal/plain"
	"afunix/internal/sock"
	"afunix/internal/winpipe"
)

// system makes message pipes.
var system winpipe.System

// world is what ends need that have moved to this process, and what guests become.
var world = endpoint.World{System: system, Network: names{}, Autobind: autobind, Plain: plain.Accepted}

// bindable refuses a name that leads to no file, unless that is a public name of streams.
func bindable(name string, t sock.Type) error {
	switch {
	case pipe.IsAbstract(name):
		return nil
	case lookalike.PipeAt(name) == "":
		return lookalike.Bindable(name)
	case t != sock.Stream:
		return &lookalike.Error{Errno: syscall.EADDRINUSE, What: "it is the name of a pipe, at which only streams can listen (the network unix)"}
	}
	return nil
}
