//go:build unix

package main

import (
	"errors"
	"os"

	"afunix"

	"golang.org/x/sys/unix"
)

// memory is a file without a name that is mapped here.
type memory struct {
	file  *os.File
	bytes []byte
}

func createMemory(size int) (*memory, error) {
	f, err := createFile()
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(int64(size)); err != nil {
		f.Close()
		return nil, err
	}
	return mapMemory(f, size)
}

// openMemory takes descriptor i.
func openMemory(r afunix.Rights, i, size int) (*memory, error) {
	f, err := r.File(i)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < int64(size) {
		err = errors.New("the memory is too small: it could not be read to its end")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return mapMemory(f, size)
}

// mapMemory owns f, also if it fails.
func mapMemory(f *os.File, size int) (*memory, error) {
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, os.NewSyscallError("mmap", err)
	}
	return &memory{f, b}, nil
}

func (m *memory) Close() error { return errors.Join(unix.Munmap(m.bytes), m.file.Close()) }
