//go:build unix && !linux

package sockfile

import "golang.org/x/sys/unix"

const forDirectory = unix.O_RDONLY

// bound cannot be asked of these systems: the socket that path leads to now is taken for the right
// one, as package net would.
func bound(_ uintptr, path string) (id, bool) { return at(unix.AT_FDCWD, path) }
