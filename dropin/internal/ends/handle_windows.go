package ends

import (
	"syscall"

	"afunix/internal/descriptor"
)

// CloseHandle closes what is no end of the pipe transport: a handle of any kind, or a socket. One
// that is not open is EBADF.
func CloseHandle(fd int) error {
	k, err := descriptor.System.Kind(uintptr(fd))
	if err != nil {
		return err
	}
	return descriptor.System.Close(uintptr(fd), k)
}

// NotAnEnd says why a call that is made for ends of the pipe transport cannot be made on fd.
func NotAnEnd(fd int) error {
	k, err := descriptor.System.Kind(uintptr(fd))
	switch {
	case err != nil:
		return err
	case k.Socket():
		return syscall.EOPNOTSUPP
	}
	return syscall.ENOTSOCK
}
