package demo

import (
	"os"

	"afunix"

	"golang.org/x/sys/unix"
)

// memory is shared memory: a memfd that is mapped here. (examples/sharedmemory has the same for
// every Unix. It is a program, which cannot be imported, and it is to be copied from, so it imports
// nothing of this repository but package afunix.)
type memory struct {
	file  *os.File
	bytes []byte
}

func createMemory(size int) (*memory, error) {
	fd, err := unix.MemfdCreate("afunix-demo", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "memory")
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

func (m *memory) Close() error {
	if err := unix.Munmap(m.bytes); err != nil {
		return err
	}
	return m.file.Close()
}
