//go:build unix

package leaktest

import (
	"slices"

	"golang.org/x/sys/unix"
)

// take finds what is open now.
func take() (snapshot, error) {
	fds, err := candidates()
	if err != nil {
		return snapshot{}, err
	}
	var s snapshot
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			s.open = append(s.open, uintptr(fd))
		}
	}
	slices.Sort(s.open)
	return s, nil
}
