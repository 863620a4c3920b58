package ends

import (
	"afunix"

	"golang.org/x/sys/unix"
)

// prepare makes a received descriptor what recvmsg(2) would have made of it: child processes
// inherit the descriptor, unless the caller has asked for MSG_CMSG_CLOEXEC.
func prepare(d afunix.Descriptor, inherit bool) {
	if inherit {
		_, _ = unix.FcntlInt(uintptr(d), unix.F_SETFD, 0) // cannot fail: the descriptor is open
	}
}
