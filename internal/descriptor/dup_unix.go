//go:build unix && !aix

package descriptor

import "golang.org/x/sys/unix"

func dupCloexec(fd uintptr) (int, error) { return unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }
