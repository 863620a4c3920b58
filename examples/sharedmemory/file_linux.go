package main

import (
	"os"

	"golang.org/x/sys/unix"
)

func createFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("sharedmemory", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "memory"), nil
}
