package main

import (
	"strings"

	"golang.org/x/sys/windows"
)

// nameOf returns the path of an open file, "" if it has none.
func nameOf(h uintptr) string {
	path := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(windows.Handle(h), &path[0], uint32(len(path)), 0)
	if err != nil || int(n) > len(path) {
		return ""
	}
	return strings.TrimPrefix(windows.UTF16ToString(path[:n]), `\\?\`)
}
