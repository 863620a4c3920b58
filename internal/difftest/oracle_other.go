//go:build !linux

package difftest

import "afunix"

// There is no reference here. See oracle_linux.go for what these tell.

// Supported reports whether there is a kernel to compare with.
const Supported = false

func waitsToRead(afunix.Sendable) bool      { return false }
func waitsToWrite(afunix.Sendable) bool     { return false }
func newerOrder() bool                      { return true }
func drained(*afunix.Conn) bool             { return false }
func (*socket) accountable(int, int) string { return "" }
