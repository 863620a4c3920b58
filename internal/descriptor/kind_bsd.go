//go:build unix && !linux

package descriptor

import (
	"golang.org/x/sys/unix"
)

func stat(fd int, st *unix.Stat_t) error { return unix.Fstat(fd, st) }

// specialKind leaves shared memory, processes and events to the systems that have descriptors for
// them and say so.
func specialKind(_ int, st *unix.Stat_t) Kind {
	if uint32(st.Mode)&unix.S_IFMT == 0 {
		return Other
	}
	return File
}

// isUnixSocket looks at the socket's own address: not every BSD has SO_DOMAIN.
func isUnixSocket(fd int) bool {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	_, ok := sa.(*unix.SockaddrUnix)
	return ok
}

// listens asks for SO_ACCEPTCONN. Where the system does not answer, a stream socket that has a name
// but no peer is taken to listen: a socket that is of no use yet is not passed on.
func listens(fd, typ int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil {
		return on != 0
	}
	if typ == unix.SOCK_DGRAM {
		return false
	}
	_, err = unix.Getpeername(fd)
	return err == unix.ENOTCONN && bound(fd)
}

func bound(fd int) bool {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return sa.Port != 0
	case *unix.SockaddrInet6:
		return sa.Port != 0
	case *unix.SockaddrUnix:
		return sa.Name != ""
	}
	return false
}
