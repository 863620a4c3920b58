//go:build unix && !aix

package sockfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryFlock locks f for this process until f is closed, or gives EWOULDBLOCK.
func tryFlock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
