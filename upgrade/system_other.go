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

// isSocketFile reports whether path is that of a socket: nothing is.
func isSocketFile(string) bool { return false }

// fileID is not asked where no file is made.
func fileID(string) (string, error) { return "", errors.ErrUnsupported }

// isBoundTo is not asked where there are no sockets.
func isBoundTo(afunix.Sendable, string) bool { return false }

// removeIf has nothing to remove.
func removeIf(path, id string) error { return errors.ErrUnsupported }

// replace has nothing to rename.
func replace(from, to string) error { return errors.ErrUnsupported }

// lock cannot be had.
func lock(string) (unlock func() error, err error) { return nil, errors.ErrUnsupported }
