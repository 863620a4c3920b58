// Package unix stands in for Go's internal/syscall/unix.
package unix

import "golang.org/x/sys/unix"

// Fcntl is fcntl(2).
func Fcntl(fd, cmd, arg int) (int, error) { return unix.FcntlInt(uintptr(fd), cmd, arg) }
