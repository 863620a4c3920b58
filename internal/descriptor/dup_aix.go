package descriptor

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// dupCloexec needs two calls here, between which nobody may start a process.
func dupCloexec(fd uintptr) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	dup, err := unix.FcntlInt(fd, unix.F_DUPFD, 0)
	if err == nil {
		unix.CloseOnExec(dup)
	}
	return dup, err
}
