package kernel

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"afunix/internal/cred"

	"golang.org/x/sys/unix"
)

// SetPassCredentials is SO_PASSCRED.
func (c *Conn) SetPassCredentials(on bool) error { return setPass(c.raw, on) }

// PassCredentials is SO_PASSCRED.
func (c *Conn) PassCredentials() (bool, error) {
	value, err := c.option(unix.SO_PASSCRED)
	return value != 0, err
}

// SetPassCredentials is SO_PASSCRED, which connections get from their listener.
func (l *Listener) SetPassCredentials(on bool) error { return setPass(l.raw, on) }

func setPass(raw syscall.RawConn, on bool) error {
	value := 0
	if on {
		value = 1
	}
	var setErr error
	err := raw.Control(func(fd uintptr) { setErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, value) })
	if err != nil {
		return inner(err)
	}
	return os.NewSyscallError("setsockopt", setErr)
}

// peerCredentials are those of SO_PEERCRED; a connected datagram socket has none (row 73).
func peerCredentials(fd uintptr) (cred.Credentials, error) {
	u, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return cred.Credentials{}, os.NewSyscallError("getsockopt", err)
	}
	if u.Uid == ^uint32(0) {
		return cred.Credentials{}, errors.ErrUnsupported
	}
	return fromUcred(u), nil
}

func fromUcred(u *unix.Ucred) cred.Credentials {
	return cred.Credentials{PID: int(u.Pid), UID: int(u.Uid), GID: int(u.Gid)}
}

// parseCredentials returns the sender's credentials if a control message of type typ holds them.
func parseCredentials(typ int32, body []byte) *cred.Credentials {
	if typ != unix.SCM_CREDENTIALS || len(body) < unix.SizeofUcred {
		return nil
	}
	c := fromUcred((*unix.Ucred)(unsafe.Pointer(&body[0])))
	return &c
}

// closeUnasked closes the sender's pidfd, which comes with each message if somebody has set
// SO_PASSPIDFD: the program through SyscallConn, or a former owner of the socket. Where there is no
// pidfd, there is a negative errno.
func closeUnasked(typ int32, body []byte) {
	if typ != unix.SCM_PIDFD || len(body) < sizeofInt32 {
		return
	}
	if fd := descriptors(body)[0]; fd >= 0 {
		_ = unix.Close(int(fd)) // nobody has asked for it, so nobody is told
	}
}
