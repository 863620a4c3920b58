package main

import (
	"afunix"

	"golang.org/x/sys/windows"
)

// memoryIsFile: a section has to be mapped.
const memoryIsFile = false

// hasMode: a mode can keep others out of every socket.
func hasMode(string) bool { return true }

// refused says why nobody answers at the address. A socket file of ours looks like any other.
func refused(string) string { return "it is not a socket, or nobody listens there any more" }

// openNumber returns the handle of that value. No handle has the values 0, 1 and 2, which stand for
// the standard ones.
func openNumber(n uintptr) (afunix.Descriptor, error) {
	standard := map[uintptr]uint32{
		0: windows.STD_INPUT_HANDLE, 1: windows.STD_OUTPUT_HANDLE, 2: windows.STD_ERROR_HANDLE,
	}
	which, ok := standard[n]
	if !ok {
		return afunix.Descriptor(n), nil
	}
	h, err := windows.GetStdHandle(which)
	return afunix.Descriptor(h), err
}
