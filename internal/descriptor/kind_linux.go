package descriptor

import (
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// noPath makes a call about the descriptor itself.
var noPath [1]byte

// stat is fstat(2), as far as Kind goes by it, but asks no file system that is not in the kernel: a
// stranger's may never answer. What the kernel knows does: a file's type never changes.
func stat(fd int, st *unix.Stat_t) error {
	const wanted = unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_NLINK | unix.STATX_SIZE
	var x unix.Statx_t
	_, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(&noPath)),
		unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC,
		wanted, uintptr(unsafe.Pointer(&x)), 0)
	switch errno {
	case 0:
	case unix.ENOSYS: // before Linux 4.11
		return unix.Fstat(fd, st)
	default:
		return errno
	}
	*st = unix.Stat_t{Mode: uint32(x.Mode), Size: int64(x.Size)}
	st.Nlink = 1
	if x.Nlink == 0 {
		st.Nlink = 0
	}
	return nil
}

// specialKind tells what a descriptor is that fstat calls a regular file, or nothing at all. Most
// are what they look like, and cost no further call: a memfd has no link, and a pidfd was an empty
// regular file with permission 0700 between Linux 6.9, which gave it a file system of its own, and
// 6.16, which hid its type. Those and what has no type (the anonymous inodes) tell their name in
// /proc; without /proc they stay what fstat said.
func specialKind(fd int, st *unix.Stat_t) Kind {
	typed := st.Mode&unix.S_IFMT != 0
	if typed && st.Nlink != 0 && (st.Size != 0 || st.Mode&0o777 != 0o700) {
		return File
	}
	switch name := procName(fd); {
	case strings.HasPrefix(name, "/memfd:"): // memfd_create(2)
		return Memory
	case name == "anon_inode:[eventfd]":
		return Event
	case name == "anon_inode:[pidfd]", strings.HasPrefix(name, "pidfd:["): // before and since Linux 6.9
		return Process
	}
	if typed {
		return File
	}
	return Other
}

// procName returns what /proc/self/fd shows for fd; as much of it as tells descriptors apart.
func procName(fd int) string {
	var link [32]byte
	n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), link[:])
	if err != nil {
		return ""
	}
	return string(link[:n])
}

func isUnixSocket(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && domain == unix.AF_UNIX
}

func listens(fd, _ int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && on != 0
}
