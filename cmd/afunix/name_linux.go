package main

import (
	"os"
	"strconv"
)

// nameOf returns what the system calls an open descriptor, "" if it does not say.
func nameOf(fd uintptr) string {
	name, err := os.Readlink("/proc/self/fd/" + strconv.FormatUint(uint64(fd), 10))
	if err != nil {
		return ""
	}
	return name
}
