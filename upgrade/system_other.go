//go:build !unix && !windows

package upgrade

import (
	"errors"

	"afunix"
)

// maxAddress is how long a path in a socket's address may be: as on Linux.
const maxAddress = 107

// This system passes no sockets, and so [New] finds no predecessor: its error wraps
// errors.ErrUnsupported.

// checkName refuses no path.
func checkName(string) error { return nil }

// isPipe reports whether the address is the name of a pipe of Windows.
func isPipe(string) bool { return false }

// isBoundTo is not asked where there are no sockets.
func isBoundTo(afunix.Sendable, string) bool { return false }

// replace has nothing to rename.
func replace(from, to string) error { return errors.ErrUnsupported }
