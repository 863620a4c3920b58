package kernel

import (
	"os"
	"unsafe"

	"afunix/internal/cred"

	"golang.org/x/sys/unix"
)

// solLocal is SOL_LOCAL of sys/un.h, the level of LOCAL_PEERCRED.
const solLocal = 0

// peerCredentials are those of LOCAL_PEERCRED: who called connect or listen. Since FreeBSD 13 the
// structure has the process in a union with the pointer that package unix leaves blank at its end
// (cr_pid in sys/ucred.h).
func peerCredentials(fd uintptr) (cred.Credentials, error) {
	u, err := unix.GetsockoptXucred(int(fd), solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return cred.Credentials{}, os.NewSyscallError("getsockopt", err)
	}
	pid := *(*int32)(unsafe.Add(unsafe.Pointer(u), unsafe.Sizeof(*u)-unsafe.Sizeof(uintptr(0))))
	return fromXucred(u, int(pid)), nil
}
