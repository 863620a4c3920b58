package kernel

import "golang.org/x/sys/windows"

const (
	soRcvbuf = windows.SO_RCVBUF
	soSndbuf = windows.SO_SNDBUF
	soError  = 0x1007 // SO_ERROR (winsock2.h)
)

func getInt(fd uintptr, option int) (int, error) {
	return windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, option)
}
