//go:build afunix_pipe

package net

import "afunix/internal/sockfile"

// newBoundFile returns the socket file that a listener has just made.
func newBoundFile(path string) interface{ Remove() } { return sockfile.Made(path) }
