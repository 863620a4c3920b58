//go:build !unix && !windows

package sockfile

import "errors"

// This system has no socket files.

// IsSocket reports whether path is that of a socket file: nothing is.
func IsSocket(string) bool { return false }

// ID is not possible.
func ID(string) (string, error) { return "", errors.ErrUnsupported }

func removeIf(string, string) error { return errors.ErrUnsupported }

func isStale(string) bool { return false }

func lock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }
