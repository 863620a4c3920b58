package testenv

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// NeedPipeRights skips a test of descriptors over the pipe transport where the kernel does not let
// that pass any.
func NeedPipeRights(t testing.TB) {
	t.Helper()
	if !PipeRights() {
		t.Skip("the pipe transport passes no descriptors here: this kernel attaches no pidfd (SO_PASSPIDFD, Linux 6.5)")
	}
}

// PipeRights asks the kernel whether it attaches the sender's process to a packet.
var PipeRights = sync.OnceValue(func() bool {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(s)
	return unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PASSPIDFD, 1) == nil
})
