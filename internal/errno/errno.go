//go:build !plan9

// Package errno has the errors of system calls that package syscall does not have on every system:
// Plan 9 has errors of its own. Code that only Unix and Windows build does not need this package.
package errno

import "syscall"

// An Errno is an error of a system call.
type Errno = syscall.Errno

// Numbered returns the error that has this number on this system.
func Numbered(number uint32) error { return Errno(number) }

// The errors, by their names in errno.h.
const (
	EADDRINUSE   = syscall.EADDRINUSE
	EAGAIN       = syscall.EAGAIN
	EBADF        = syscall.EBADF
	ECONNREFUSED = syscall.ECONNREFUSED
	ECONNRESET   = syscall.ECONNRESET
	EINVAL       = syscall.EINVAL
	EMSGSIZE     = syscall.EMSGSIZE
	ENOTSOCK     = syscall.ENOTSOCK
	EOPNOTSUPP   = syscall.EOPNOTSUPP
	EPIPE        = syscall.EPIPE
)
