package piped

import (
	"afunix/internal/lookalike"
	"afunix/internal/pipe"
	"afunix/internal/winpipe"
)

// system makes message pipes.
var system winpipe.System

// bindable refuses a name that leads to no file. At the private pipe behind a public name nobody
// listens without the public one.
func bindable(name string) error {
	if pipe.IsAbstract(name) {
		return nil
	}
	return lookalike.Bindable(name)
}
