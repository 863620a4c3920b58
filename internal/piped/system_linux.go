package piped

import "afunix/internal/linuxpipe"

// system makes message pipes.
var system linuxpipe.System

// bindable has nothing to refuse that bind(2) does not.
func bindable(string) error { return nil }
