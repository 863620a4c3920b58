package main

import (
	"errors"
	"os"
	"unsafe"

	"afunix"

	"golang.org/x/sys/windows"
)

// memory is a section that is mapped here.
type memory struct {
	file  afunix.Descriptor
	bytes []byte
}

func createMemory(size int) (*memory, error) {
	section, err := windows.CreateFileMapping(windows.InvalidHandle, nil, windows.PAGE_READWRITE, 0, uint32(size), nil)
	if err != nil {
		return nil, os.NewSyscallError("CreateFileMapping", err)
	}
	return mapMemory(afunix.Descriptor(section), size)
}

// openMemory takes descriptor i. A section that is too small cannot be mapped.
func openMemory(r afunix.Rights, i, size int) (*memory, error) {
	section, err := r.Descriptor(i)
	if err != nil {
		return nil, err
	}
	return mapMemory(section, size)
}

// mapMemory owns the section, also if it fails.
func mapMemory(section afunix.Descriptor, size int) (*memory, error) {
	addr, err := windows.MapViewOfFile(windows.Handle(section), windows.FILE_MAP_WRITE, 0, 0, uintptr(size))
	if err != nil {
		windows.CloseHandle(windows.Handle(section))
		return nil, os.NewSyscallError("MapViewOfFile", err)
	}
	// The view is no memory of Go's, so that its address may be a number; vet cannot know that of a
	// plain conversion.
	view := *(**byte)(unsafe.Pointer(&addr))
	return &memory{section, unsafe.Slice(view, size)}, nil
}

func (m *memory) Close() error {
	return errors.Join(
		windows.UnmapViewOfFile(uintptr(unsafe.Pointer(&m.bytes[0]))),
		windows.CloseHandle(windows.Handle(m.file)))
}
