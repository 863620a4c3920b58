package piped

import (
	"afunix/internal/endpoint"
	"afunix/internal/linuxpipe"
	"afunix/internal/sock"
)

// system makes message pipes.
var system linuxpipe.System

// bindable has nothing to refuse that bind(2) does not.
func bindable(string, sock.Type) error { return nil }

// world is what ends need that have moved to this process.
var world = endpoint.World{System: system, Network: names{}, Autobind: autobind}
