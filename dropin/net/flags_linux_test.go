package net_test

import (
	"testing"

	"afunix/dropin/syscall"
	"afunix/dropin/unix"
	"afunix/internal/testenv"
)

// What is received is inherited by child processes, unless MSG_CMSG_CLOEXEC says otherwise (case
// 3).
func TestCloexec(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		defer syscall.Close(a)
		defer syscall.Close(b)
		f := testenv.TempFile(t, "hello")
		for _, flags := range []int{0, syscall.MSG_CMSG_CLOEXEC} {
			send(t, a, "x", int(f.Fd()))
			oob := make([]byte, syscall.CmsgSpace(4))
			_, oobn, got, _, err := syscall.Recvmsg(b, make([]byte, 1), oob, flags)
			if got != flags || err != nil {
				t.Fatalf("%#x, %v", got, err)
			}
			fd := rightsOf(t, oob[:oobn])[0]
			on, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if (on&unix.FD_CLOEXEC != 0) != (flags != 0) || err != nil {
				t.Errorf("with flags %#x: FD_CLOEXEC is %#x, %v", flags, on, err)
			}
			syscall.Close(fd)
		}
	})
}
