// Package errno has the errors of system calls that package syscall does not have on every system:
// Plan 9 has errors of its own.
package errno

import (
	"fmt"
	"syscall"
)

// An Errno is an error of a system call.
type Errno = syscall.ErrorString

// Numbered returns an error that says the number: here they have none.
func Numbered(number uint32) error { return Errno(fmt.Sprintf("errno %d", number)) }

// The errors, by their names in errno.h. No call of Plan 9 gives them.
const (
	EADDRINUSE   Errno = "address already in use"
	EAGAIN       Errno = "resource temporarily unavailable"
	EBADF        Errno = "bad file descriptor"
	ECONNREFUSED Errno = "connection refused"
	ECONNRESET   Errno = "connection reset by peer"
	EINVAL       Errno = "invalid argument"
	EMSGSIZE     Errno = "message too long"
	ENOTSOCK     Errno = "socket operation on non-socket"
	EOPNOTSUPP   Errno = "operation not supported"
	EPIPE        Errno = "broken pipe"
)
