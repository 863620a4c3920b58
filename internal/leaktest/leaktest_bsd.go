//go:build unix && !linux

package leaktest

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mostDescriptors bounds the search where the limit is much higher, or infinite. Descriptors are
// given out from the lowest free number on.
const mostDescriptors = 1 << 14

// candidates lists every number that a descriptor may have: these systems have no common list of
// what is open.
func candidates() ([]int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	fds := make([]int, min(uint64(limit.Cur), mostDescriptors))
	for i := range fds {
		fds[i] = i
	}
	return fds, nil
}

// describe says what kind of file d is.
func describe(d uintptr) string {
	var st unix.Stat_t
	if err := unix.Fstat(int(d), &st); err != nil {
		return fmt.Sprintf("%d (%v)", d, err)
	}
	return fmt.Sprintf("%d (mode %#o, inode %d)", d, st.Mode, st.Ino)
}
