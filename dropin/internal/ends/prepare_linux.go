package ends

import (
	"afunix"

	"golang.org/x/sys/unix"
)

// prepare makes a received descriptor what recvmsg(2) would have made of it: one that child
// processes inherit, unless it was told otherwise.
func prepare(d afunix.Descriptor, inherit bool) {
	if inherit {
		_, _ = unix.FcntlInt(uintptr(d), unix.F_SETFD, 0) // cannot fail: the descriptor is open
	}
}
