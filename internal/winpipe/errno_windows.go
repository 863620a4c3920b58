package winpipe

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// errno gives an error of Windows the number that the error has on Linux. An error that Linux does
// not have stays what it is. What it means that a file is missing, or is in the way, depends on the
// call: see bindErrno and lookupErrno.
func errno(err error) error {
	switch err {
	case windows.ERROR_BROKEN_PIPE, windows.ERROR_NO_DATA, windows.ERROR_PIPE_NOT_CONNECTED:
		return syscall.EPIPE
	case windows.ERROR_ACCESS_DENIED, windows.ERROR_SHARING_VIOLATION, windows.WSAEACCES:
		return syscall.EACCES
	case windows.ERROR_WRITE_PROTECT:
		return syscall.EROFS
	case windows.ERROR_INVALID_HANDLE, windows.WSAENOTSOCK:
		return syscall.EBADF
	case windows.ERROR_TOO_MANY_OPEN_FILES, windows.ERROR_NO_SYSTEM_RESOURCES, windows.ERROR_NOT_ENOUGH_QUOTA, windows.WSAEMFILE:
		return syscall.EMFILE
	case windows.ERROR_NOT_ENOUGH_MEMORY, windows.ERROR_OUTOFMEMORY, windows.WSAENOBUFS:
		return syscall.ENOMEM
	case windows.ERROR_INVALID_NAME, windows.ERROR_BAD_PATHNAME, windows.ERROR_INVALID_PARAMETER:
		return syscall.EINVAL
	case windows.ERROR_FILENAME_EXCED_RANGE:
		return syscall.ENAMETOOLONG
	case windows.ERROR_CANT_RESOLVE_FILENAME:
		return syscall.ELOOP
	case windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL:
		return syscall.ENOSPC
	}
	return err
}

// bindErrno is errno for making the socket file path, as bind(2).
func bindErrno(path string, err error) error {
	switch err {
	case windows.ERROR_FILE_EXISTS, windows.ERROR_ALREADY_EXISTS:
		return syscall.EADDRINUSE
	}
	return lookupErrno(path, err)
}

// lookupErrno is errno for finding path. ERROR_PATH_NOT_FOUND does not tell a missing directory
// from a file in its place.
func lookupErrno(path string, err error) error {
	switch err {
	case windows.ERROR_FILE_NOT_FOUND, windows.ERROR_PATH_NOT_FOUND, windows.ERROR_DIRECTORY:
		return missing(path)
	}
	return errno(err)
}
