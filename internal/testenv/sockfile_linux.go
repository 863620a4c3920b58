package testenv

import (
	"encoding/binary"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// NeedSocketFile skips a test that takes the kernel's word for which file a socket is bound to,
// where the kernel does not say.
func NeedSocketFile(t testing.TB) {
	t.Helper()
	if !opensSocketFile() && !hasUnixDiag() {
		t.Skip("nobody says here which file a socket is bound to: this kernel has no unix_diag (a module), " +
			"and SIOCUNIXFILE takes CAP_NET_ADMIN")
	}
}

// opensSocketFile asks for the file of a socket that has none.
var opensSocketFile = sync.OnceValue(func() bool {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(s)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCPROTOPRIVATE, 0) // SIOCUNIXFILE
	return errno == unix.ENOENT
})

// hasUnixDiag asks for socket number 0, which is EINVAL, and ENOENT where nobody knows about unix
// sockets.
var hasUnixDiag = sync.OnceValue(func() bool {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return false
	}
	defer unix.Close(s)
	const length = unix.SizeofNlMsghdr + 24 // and struct unix_diag_req (include/uapi/linux/unix_diag.h)
	q := binary.NativeEndian.AppendUint32(nil, length)
	q = binary.NativeEndian.AppendUint16(q, unix.SOCK_DIAG_BY_FAMILY)
	q = binary.NativeEndian.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, length-len(q))...)
	q[unix.SizeofNlMsghdr] = unix.AF_UNIX
	if err := unix.Sendto(s, q, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false
	}
	var answer [512]byte
	n, _, err := unix.Recvfrom(s, answer[:], unix.MSG_DONTWAIT)
	if err != nil || n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return false
	}
	return int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])) == -int32(unix.EINVAL)
})
