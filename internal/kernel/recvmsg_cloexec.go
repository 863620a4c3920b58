//go:build freebsd || netbsd || openbsd || dragonfly

package kernel

import "golang.org/x/sys/unix"

func recvmsgCloexec(fd int, data, control []byte) (n, controlLen, flags int, from unix.Sockaddr, err error) {
	return unix.Recvmsg(fd, data, control, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
}
