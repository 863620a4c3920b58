package upgrade

import (
	"afunix"
	"afunix/internal/lookalike"
	"afunix/internal/winfile"
)

// maxAddress is how long a path in a socket's address may be: as on Linux.
const maxAddress = 107

// checkName refuses a path that leads to no file of this machine, by its name alone: to open a pipe
// or a device has consequences, and another machine is told who the user is.
func checkName(path string) error { return lookalike.Bindable(path) }

// isPipe reports whether the address is \\.\pipe\NAME, at which there is no socket file.
func isPipe(address string) bool { return lookalike.PipeAt(address) != "" }

// replace renames a file to a name that another file may have, in one step.
func replace(from, to string) error { return winfile.Replace(from, to) }

// isBoundTo is not asked here: no service manager passes sockets.
func isBoundTo(afunix.Sendable, string) bool { return true }
