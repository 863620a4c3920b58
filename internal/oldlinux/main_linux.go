//go:build amd64 || arm64

// Command oldlinux PROGRAM [ARGUMENT…] runs a program as under a Linux before 6.5, as far as the
// pipe transport sees it: there are no SO_PASSPIDFD and SO_PEERPIDFD (ENOPROTOOPT). Made for "go
// test -exec": a test that passes descriptors over the pipe transport, and does not say so
// (testenv.NeedPipeRights), fails.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: oldlinux PROGRAM [ARGUMENT…]")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "oldlinux:", err)
		os.Exit(1)
	}
}

// run becomes the program.
func run(arguments []string) error {
	program, err := exec.LookPath(arguments[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the filter is this thread's, and of what it executes
	if err := install(forget[:]); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return unix.Exec(program, arguments, os.Environ())
}

func install(filter []unix.SockFilter) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

const (
	load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	ifEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	give    = unix.BPF_RET | unix.BPF_K

	// Where struct seccomp_data (include/uapi/linux/seccomp.h) has what counts.
	call   = 0
	level  = 16 + 8*1
	option = 16 + 8*2
)

// forget answers for both options, whether they are asked for or set.
var forget = [...]unix.SockFilter{
	{Code: load, K: call},
	{Code: ifEqual, K: unix.SYS_SETSOCKOPT, Jt: 1},
	{Code: ifEqual, K: unix.SYS_GETSOCKOPT, Jf: 6},
	{Code: load, K: level},
	{Code: ifEqual, K: unix.SOL_SOCKET, Jf: 4},
	{Code: load, K: option},
	{Code: ifEqual, K: unix.SO_PASSPIDFD, Jt: 1},
	{Code: ifEqual, K: unix.SO_PEERPIDFD, Jf: 1},
	{Code: give, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOPROTOOPT)},
	{Code: give, K: unix.SECCOMP_RET_ALLOW},
}
