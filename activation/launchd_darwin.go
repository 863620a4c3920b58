package activation

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launched takes over the sockets that launchd has made under this name, the key of a socket in the
// Sockets dictionary of launchd.plist(5). There is one for each address that it stands for. launchd
// gives them once.
func launched(name string) ([]*os.File, error) {
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	var fds *int32 // of malloc(3)
	var n uintptr
	errno, _, _ := syscallSyscall(launchActivateSocketAddr,
		uintptr(unsafe.Pointer(text)), uintptr(unsafe.Pointer(&fds)), uintptr(unsafe.Pointer(&n)))
	switch errno := syscall.Errno(int32(errno)); errno {
	case 0:
	case unix.ENOENT, unix.ESRCH, unix.EALREADY: // no such name; not started by launchd; given before
		return nil, nil
	default:
		return nil, os.NewSyscallError("launch_activate_socket", errno)
	}
	defer syscallSyscall(freeAddr, uintptr(unsafe.Pointer(fds)), 0, 0)
	var all []*os.File
	for _, fd := range unsafe.Slice(fds, n) {
		unix.CloseOnExec(int(fd))
		all = append(all, os.NewFile(uintptr(fd), name))
	}
	return all, nil
}

// The functions of libSystem are called without C code, as golang.org/x/sys/unix does.

//go:cgo_import_dynamic libc_launch_activate_socket launch_activate_socket "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_free free "/usr/lib/libSystem.B.dylib"

// Addresses of what the assembly file jumps to.
var launchActivateSocketAddr, freeAddr uintptr

//go:linkname syscallSyscall syscall.syscall
func syscallSyscall(fn, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)
