//go:build unix

package apitest

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// expectNoSockets looks at the descriptors that this process may have inherited.
func expectNoSockets() error {
	for fd := 3; fd < 64; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			return fmt.Errorf("descriptor %d is a socket", fd)
		}
	}
	return nil
}
