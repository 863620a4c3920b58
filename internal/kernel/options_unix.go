//go:build unix

package kernel

import "golang.org/x/sys/unix"

const (
	soRcvbuf = unix.SO_RCVBUF
	soSndbuf = unix.SO_SNDBUF
	soError  = unix.SO_ERROR
)

func getInt(fd uintptr, option int) (int, error) {
	return unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option)
}
