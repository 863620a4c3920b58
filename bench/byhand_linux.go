package bench

import "golang.org/x/sys/unix"

// acknowledges: descriptors are pulled, so their sender must be told when it may close them.
const acknowledges = true

// A neighbour is the process at the other end. The zero value is none.
type neighbour struct{ pidfd int }

func openNeighbour(pid int) (neighbour, error) {
	// Where Yama restricts ptrace(2), this lets the neighbour pull. It fails where there is no
	// Yama.
	_ = unix.Prctl(unix.PR_SET_PTRACER, uintptr(pid), 0, 0, 0)
	fd, err := unix.PidfdOpen(pid, 0)
	return neighbour{fd}, err
}

func (n neighbour) isOpen() bool { return n.pidfd > 0 }
func (n neighbour) close()       { unix.Close(n.pidfd) }

// give returns the value under which the neighbour finds v.
func (n neighbour) give(v uintptr) (uint64, error) { return uint64(v), nil }

// takeAndClose duplicates the neighbour's descriptor into this process, and closes the duplicate.
func (n neighbour) takeAndClose(theirs uint64) error {
	fd, err := unix.PidfdGetfd(n.pidfd, int(theirs), 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
