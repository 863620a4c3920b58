//go:build !linux

package testenv

import "testing"

// NeedPipeRights skips a test of descriptors over the pipe transport where that passes none: where
// there is a pipe transport, it passes them.
func NeedPipeRights(testing.TB) {}

// PipeRights is what NeedPipeRights asks.
func PipeRights() bool { return true }

// NeedSocketFile skips nothing: on these systems a socket file is told by its path, or by what is
// in it.
func NeedSocketFile(testing.TB) {}
