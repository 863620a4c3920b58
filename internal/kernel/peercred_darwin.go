package kernel

import (
	"os"

	"afunix/internal/cred"

	"golang.org/x/sys/unix"
)

// peerCredentials are those of LOCAL_PEERCRED (the user at connect or listen) and LOCAL_PEERPID.
func peerCredentials(fd uintptr) (cred.Credentials, error) {
	u, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return cred.Credentials{}, os.NewSyscallError("getsockopt", err)
	}
	pid, err := unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return cred.Credentials{}, os.NewSyscallError("getsockopt", err)
	}
	return fromXucred(u, pid), nil
}
