//go:build aix || darwin || solaris

package kernel

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// recvmsgCloexec makes what it received close-on-exec before another goroutine can start a process:
// there is no MSG_CMSG_CLOEXEC here. Nothing waits here, so the lock is held for a moment only.
func recvmsgCloexec(fd int, data, control []byte) (n, controlLen, flags int, from unix.Sockaddr, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	n, controlLen, flags, from, err = unix.Recvmsg(fd, data, control, dontWait)
	if err != nil {
		return n, 0, flags, from, err
	}
	for h, body, rest := nextControl(control[:controlLen]); h != nil; h, body, rest = nextControl(rest) {
		if h.Level != unix.SOL_SOCKET || h.Type != unix.SCM_RIGHTS {
			continue
		}
		for _, fd := range descriptors(body) {
			unix.CloseOnExec(int(fd))
		}
	}
	return n, controlLen, flags, from, nil
}
