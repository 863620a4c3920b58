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
	sid, err := userOf(pid)
	if err != nil {
		return cred.Credentials{}, err
	}
	return cred.Credentials{PID: int(pid), UID: -1, GID: -1, SID: sid}, nil
}

// userOf returns the security identifier of the user that process pid runs as.
func userOf(pid uint32) (string, error) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return "", os.NewSyscallError("openprocess", err)
	}
	defer windows.CloseHandle(process)
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token); err != nil {
		return "", os.NewSyscallError("openprocesstoken", err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return "", os.NewSyscallError("gettokeninformation", err)
	}
	return user.User.Sid.String(), nil
}
