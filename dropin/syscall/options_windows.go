package syscall

import (
	"syscall"
	"unsafe"

	"afunix/dropin/internal/ends"
)

// What follows is getsockopt(2) and setsockopt(2). Which options sockets of the pipe transport have
// is said in the documentation of this package; other sockets are Windows' own.

// native is what Windows calls a level.
func native[L int | int32](level L) L {
	if level == SOL_SOCKET {
		return syscall.SOL_SOCKET
	}
	return level
}

// Setsockopt is [syscall.Setsockopt].
func Setsockopt(s Handle, level int32, optname int32, optval *byte, optlen int32) error {
	if r, ok := ends.Lookup(int(s)); ok {
		return r.Setsockopt(int(level), int(optname), unsafe.Slice(optval, optlen))
	}
	return syscall.Setsockopt(s, native(level), optname, optval, optlen)
}

// Getsockopt is [syscall.Getsockopt].
func Getsockopt(s Handle, level int32, optname int32, optval *byte, optlen *int32) error {
	if r, ok := ends.Lookup(int(s)); ok {
		n, err := r.Getsockopt(int(level), int(optname), unsafe.Slice(optval, *optlen))
		*optlen = int32(n)
		return err
	}
	return syscall.Getsockopt(s, native(level), optname, optval, optlen)
}

// SetsockoptByte sets an option.
func SetsockoptByte[T FD](fd T, level, opt int, value byte) error {
	return Setsockopt(Handle(fd), int32(level), int32(opt), &value, 1)
}

// SetsockoptInt sets an option.
func SetsockoptInt[T FD](fd T, level, opt, value int) error {
	if r, ok := ends.Lookup(int(fd)); ok {
		return ends.Set(r, level, opt, int32(value))
	}
	return syscall.SetsockoptInt(Handle(fd), native(level), opt, value)
}

// SetsockoptString sets an option.
func SetsockoptString[T FD](fd T, level, opt int, value string) error {
	return Setsockopt(Handle(fd), int32(level), int32(opt), unsafe.StringData(value), int32(len(value)))
}

// SetsockoptLinger sets an option.
func SetsockoptLinger[T FD](fd T, level, opt int, value *Linger) error {
	if r, ok := ends.Lookup(int(fd)); ok {
		return ends.Set(r, level, opt, *value)
	}
	return syscall.SetsockoptLinger(Handle(fd), native(level), opt, value)
}

// SetsockoptTimeval sets an option. For Windows' own sockets package syscall has nothing but an
// error.
func SetsockoptTimeval[T FD](fd T, level, opt int, value *Timeval) error {
	if r, ok := ends.Lookup(int(fd)); ok {
		return ends.Set(r, level, opt, *value)
	}
	return syscall.SetsockoptTimeval(Handle(fd), native(level), opt, value)
}

// GetsockoptInt returns an option.
func GetsockoptInt[T FD](fd T, level, opt int) (int, error) {
	if r, ok := ends.Lookup(int(fd)); ok {
		value, err := ends.Get[int32](r, level, opt)
		return int(value), err
	}
	return syscall.GetsockoptInt(Handle(fd), native(level), opt)
}

// GetsockoptUcred returns an option. Windows' own sockets have none of that type.
func GetsockoptUcred(fd, level, opt int) (*Ucred, error) {
	if r, ok := ends.Lookup(fd); ok {
		return ends.GetNew[Ucred](r, level, opt)
	}
	return nil, ends.NotAnEnd(fd)
}

// TimevalToNsec returns the time in nanoseconds.
func TimevalToNsec(tv Timeval) int64 { return tv.Nanoseconds() }
