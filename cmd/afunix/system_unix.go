//go:build unix

package main

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"afunix"

	"golang.org/x/sys/unix"
)

// memoryIsFile: shared memory can be read as a file.
const memoryIsFile = true

// hasMode reports whether a mode can keep others out of the socket with that name.
func hasMode(addr string) bool { return !strings.HasPrefix(addr, "@") }

// refused says why nobody answers at the address.
func refused(addr string) string {
	info, err := os.Stat(addr)
	switch {
	case err != nil: // an abstract name, or gone by now
		return "nobody listens there"
	case info.Mode()&fs.ModeSocket == 0:
		return "it is not a socket"
	}
	return "nobody listens there any more, only the socket file is left"
}

// openNumber returns the descriptor of that number, which this process must have inherited.
// Descriptors that the process has opened itself are close-on-exec, and nobody's business.
func openNumber(n uintptr) (afunix.Descriptor, error) {
	flags, err := unix.FcntlInt(n, unix.F_GETFD, 0)
	if err == nil && flags&unix.FD_CLOEXEC != 0 {
		err = syscall.EBADF
	}
	if err != nil {
		return 0, &os.PathError{Op: "use", Path: "fd:" + strconv.FormatUint(uint64(n), 10), Err: err}
	}
	return afunix.Descriptor(n), nil
}
