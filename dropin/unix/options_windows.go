package unix

import (
	"afunix/dropin/internal/ends"
	"afunix/dropin/syscall"
)

// What follows is getsockopt(2) and setsockopt(2). Which options sockets of the pipe transport have
// is said in package afunix/dropin/syscall.

// SetsockoptByte sets an option.
func SetsockoptByte(fd, level, opt int, value byte) error {
	return syscall.SetsockoptByte(fd, level, opt, value)
}

// SetsockoptInt sets an option.
func SetsockoptInt(fd, level, opt, value int) error {
	return syscall.SetsockoptInt(fd, level, opt, value)
}

// SetsockoptUint64 sets an option of a socket of the pipe transport.
func SetsockoptUint64(fd, level, opt int, value uint64) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, value)
	}
	return ends.NotAnEnd(fd)
}

// SetsockoptString sets an option.
func SetsockoptString(fd, level, opt int, value string) error {
	return syscall.SetsockoptString(fd, level, opt, value)
}

// SetsockoptLinger sets an option.
func SetsockoptLinger(fd, level, opt int, value *Linger) error {
	return syscall.SetsockoptLinger(fd, level, opt, value)
}

// SetsockoptTimeval sets an option.
func SetsockoptTimeval(fd, level, opt int, value *Timeval) error {
	return syscall.SetsockoptTimeval(fd, level, opt, value)
}

// GetsockoptInt returns an option.
func GetsockoptInt(fd, level, opt int) (int, error) { return syscall.GetsockoptInt(fd, level, opt) }

// The functions below, which package syscall does not have, are for sockets of the pipe transport
// alone.

// GetsockoptByte returns the first byte of an option.
func GetsockoptByte(fd, level, opt int) (byte, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Get[byte](r, level, opt)
	}
	return 0, ends.NotAnEnd(fd)
}

// GetsockoptUint64 returns an option.
func GetsockoptUint64(fd, level, opt int) (uint64, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Get[uint64](r, level, opt)
	}
	return 0, ends.NotAnEnd(fd)
}

// GetsockoptString returns an option.
func GetsockoptString(fd, level, opt int) (string, error) {
	if r, ok := ends.Lookup(fd); ok {
		return r.GetString(level, opt)
	}
	return "", ends.NotAnEnd(fd)
}

// GetsockoptLinger returns an option.
func GetsockoptLinger(fd, level, opt int) (*Linger, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.GetNew[Linger](r, level, opt)
	}
	return nil, ends.NotAnEnd(fd)
}

// GetsockoptTimeval returns an option.
func GetsockoptTimeval(fd, level, opt int) (*Timeval, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.GetNew[Timeval](r, level, opt)
	}
	return nil, ends.NotAnEnd(fd)
}

// NsecToTimeval returns a number of nanoseconds as a time.
func NsecToTimeval(nsec int64) Timeval { return syscall.NsecToTimeval(nsec) }
