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

// bindable refuses a name that leads to no file, unless that is a public name for a
// stream.
func bindable(name string, t sock.Type) error {
	if pipe.IsAbstract(name) {
		return nil
	}
	public := lookalike.PipeAt(name)
	switch {
	case public == "":
		return lookalike.Bindable(name)
	case t != sock.Stream: // not EADDRINUSE, upon which programs try again
		return &lookalike.Error{Errno: syscall.EINVAL, What: `it is the name of a pipe, at which only the network "unix" can listen`}
	}
	return lookalike.CheckPipe(public)
}
