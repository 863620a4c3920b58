//go:build !linux && !windows

package main

// nameOf would return what the system calls an open descriptor; there is no portable way to ask.
func nameOf(uintptr) string { return "" }
