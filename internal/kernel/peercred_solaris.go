package kernel

import (
	"os"
	"syscall"

	"afunix/internal/cred"

	"golang.org/x/sys/unix"
)

// peerCredentials are those of getpeerucred(3C): of the process that called connect or listen.
// illumos has the same call. A number that the system does not know is -1, and a user that it does
// not know is nobody.
func peerCredentials(fd uintptr) (cred.Credentials, error) {
	u, err := unix.GetPeerUcred(fd)
	if err != nil {
		return cred.Credentials{}, os.NewSyscallError("getpeerucred", err)
	}
	c := cred.Credentials{PID: max(u.Getpid(), 0), UID: u.Geteuid(), GID: u.Getegid()}
	if c.UID < 0 {
		return cred.Credentials{}, os.NewSyscallError("getpeerucred", syscall.EINVAL)
	}
	return c, nil
}
