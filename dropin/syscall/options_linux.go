//go:build afunix_pipe

package syscall

import (
	"syscall"

	"afunix/dropin/internal/ends"
)

// What follows is getsockopt(2) and setsockopt(2). Which options sockets of the pipe transport have
// is said in package afunix/dropin/syscall.

// SetsockoptByte sets an option.
func SetsockoptByte(fd, level, opt int, value byte) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, value)
	}
	return syscall.SetsockoptByte(fd, level, opt, value)
}

// SetsockoptInt sets an option.
func SetsockoptInt(fd, level, opt int, value int) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, int32(value))
	}
	return syscall.SetsockoptInt(fd, level, opt, value)
}

// SetsockoptString sets an option.
func SetsockoptString(fd, level, opt int, value string) error {
	if r, ok := ends.Lookup(fd); ok {
		return r.Setsockopt(level, opt, []byte(value))
	}
	return syscall.SetsockoptString(fd, level, opt, value)
}

// SetsockoptLinger sets an option.
func SetsockoptLinger(fd, level, opt int, value *Linger) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, *value)
	}
	return syscall.SetsockoptLinger(fd, level, opt, value)
}

// SetsockoptTimeval sets an option.
func SetsockoptTimeval(fd, level, opt int, value *Timeval) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, *value)
	}
	return syscall.SetsockoptTimeval(fd, level, opt, value)
}

// GetsockoptInt returns an option.
func GetsockoptInt(fd, level, opt int) (int, error) {
	if r, ok := ends.Lookup(fd); ok {
		value, err := ends.Get[int32](r, level, opt)
		return int(value), err
	}
	return syscall.GetsockoptInt(fd, level, opt)
}

// GetsockoptUcred returns an option.
func GetsockoptUcred(fd, level, opt int) (*Ucred, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.GetNew[Ucred](r, level, opt)
	}
	return syscall.GetsockoptUcred(fd, level, opt)
}
