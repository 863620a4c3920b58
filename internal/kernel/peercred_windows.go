package kernel

import (
	"os"
	"unsafe"

	"afunix/internal/cred"

	"golang.org/x/sys/windows"
)

// sioAFUnixGetPeerPID is SIO_AF_UNIX_GETPEERPID of afunix.h: _WSAIOR(IOC_VENDOR, 256).
const sioAFUnixGetPeerPID = 0x58000100

// peerCredentials asks the socket for the process at the other end, and that process for its user.
// Windows does not keep the process from being replaced by another of the same number in between,
// so this is no proof of identity as SO_PEERCRED is.
func peerCredentials(fd uintptr) (cred.Credentials, error) {
	var pid, size uint32
	err := windows.WSAIoctl(windows.Handle(fd), sioAFUnixGetPeerPID, nil, 0,
		(*byte)(unsafe.Pointer(&pid)), uint32(unsafe.Sizeof(pid)), &size, nil, 0)
	if err != nil {
		return cred.Credentials{}, os.NewSyscallError("wsaioctl", err)
	}
	return cred.Of(pid)
}
