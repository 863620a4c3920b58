package leaktest

import (
	"fmt"
	"os"
	"strconv"
)

// candidates lists the numbers in /proc/self/fd. The one by which that directory is read is among
// them, but not open any more.
func candidates() ([]int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	fds := make([]int, 0, len(entries))
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// describe says what d refers to, in the words of proc(5).
func describe(d uintptr) string {
	target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", d))
	if err != nil {
		return fmt.Sprintf("%d (closed meanwhile)", d)
	}
	return fmt.Sprintf("%d -> %s", d, target)
}
