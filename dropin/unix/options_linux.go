//go:build afunix_pipe

package unix

import (
	"golang.org/x/sys/unix"

	"afunix/dropin/internal/ends"
)

// What follows is getsockopt(2) and setsockopt(2). Which options sockets of the pipe transport have
// is said in package afunix/dropin/syscall.

// SetsockoptByte sets an option.
func SetsockoptByte(fd, level, opt int, value byte) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, value)
	}
	return unix.SetsockoptByte(fd, level, opt, value)
}

// SetsockoptInt sets an option.
func SetsockoptInt(fd, level, opt int, value int) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, int32(value))
	}
	return unix.SetsockoptInt(fd, level, opt, value)
}

// SetsockoptUint64 sets an option.
func SetsockoptUint64(fd, level, opt int, value uint64) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, value)
	}
	return unix.SetsockoptUint64(fd, level, opt, value)
}

// SetsockoptString sets an option.
func SetsockoptString(fd, level, opt int, value string) error {
	if r, ok := ends.Lookup(fd); ok {
		return r.Setsockopt(level, opt, []byte(value))
	}
	return unix.SetsockoptString(fd, level, opt, value)
}

// SetsockoptLinger sets an option.
func SetsockoptLinger(fd, level, opt int, value *Linger) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, *value)
	}
	return unix.SetsockoptLinger(fd, level, opt, value)
}

// SetsockoptTimeval sets an option.
func SetsockoptTimeval(fd, level, opt int, value *Timeval) error {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Set(r, level, opt, *value)
	}
	return unix.SetsockoptTimeval(fd, level, opt, value)
}

// GetsockoptByte returns an option.
func GetsockoptByte(fd, level, opt int) (byte, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Get[byte](r, level, opt)
	}
	return unix.GetsockoptByte(fd, level, opt)
}

// GetsockoptInt returns an option.
func GetsockoptInt(fd, level, opt int) (int, error) {
	if r, ok := ends.Lookup(fd); ok {
		value, err := ends.Get[int32](r, level, opt)
		return int(value), err
	}
	return unix.GetsockoptInt(fd, level, opt)
}

// GetsockoptUcred returns an option.
func GetsockoptUcred(fd, level, opt int) (*Ucred, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.GetNew[Ucred](r, level, opt)
	}
	return unix.GetsockoptUcred(fd, level, opt)
}

// GetsockoptUint64 returns an option.
func GetsockoptUint64(fd, level, opt int) (uint64, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.Get[uint64](r, level, opt)
	}
	return unix.GetsockoptUint64(fd, level, opt)
}

// GetsockoptString returns an option.
func GetsockoptString(fd, level, opt int) (string, error) {
	if r, ok := ends.Lookup(fd); ok {
		return r.GetString(level, opt)
	}
	return unix.GetsockoptString(fd, level, opt)
}

// GetsockoptLinger returns an option.
func GetsockoptLinger(fd, level, opt int) (*Linger, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.GetNew[Linger](r, level, opt)
	}
	return unix.GetsockoptLinger(fd, level, opt)
}

// GetsockoptTimeval returns an option.
func GetsockoptTimeval(fd, level, opt int) (*Timeval, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.GetNew[Timeval](r, level, opt)
	}
	return unix.GetsockoptTimeval(fd, level, opt)
}
