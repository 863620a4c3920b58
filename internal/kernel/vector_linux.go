package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A vector is what sendmsg takes of several slices.
type vector struct {
	hdr unix.Msghdr
	iov []unix.Iovec
}

// clear drops the pointers to the caller's memory.
func (v *vector) clear() {
	v.hdr = unix.Msghdr{}
	clear(v.iov)
}

// writev sends slices, of which there is at least one. Like every call here it does not wait.
func (v *vector) writev(fd uintptr, slices [][]byte) (int, error) {
	v.iov = v.iov[:0]
	for _, b := range slices {
		entry := unix.Iovec{Base: unsafe.SliceData(b)}
		entry.SetLen(len(b))
		v.iov = append(v.iov, entry)
	}
	v.hdr.Iov = &v.iov[0]
	v.hdr.SetIovlen(len(v.iov))
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&v.hdr)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
