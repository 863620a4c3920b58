//go:build !unix && !windows

package upgrade

import "errors"

// This system passes no sockets, and so [New] finds no predecessor: its error wraps errors.ErrUnsupported.

// isSocketFile reports whether path is that of a socket: nothing is.
func isSocketFile(string) bool { return false }

// fileID is not asked where no file is made.
func fileID(string) (string, error) { return "", errors.ErrUnsupported }

// isBusy reports whether a file could not be replaced because somebody reads it.
func isBusy(error) bool { return false }

// lock cannot be had.
func lock(string) (unlock func() error, err error) { return nil, errors.ErrUnsupported }

// takeActivated takes over nothing: no service manager here passes sockets.
func takeActivated() ([]*offer, error) { return nil, nil }
