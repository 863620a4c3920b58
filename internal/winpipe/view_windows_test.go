package winpipe

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// withView maps the first 4096 bytes of a section for f.
func withView(section windows.Handle, f func(view []byte)) error {
	address, err := windows.MapViewOfFile(section, windows.FILE_MAP_READ|windows.FILE_MAP_WRITE, 0, 0, 4096)
	if err != nil {
		return err
	}
	defer windows.UnmapViewOfFile(address)
	f(unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), 4096)) // memory that is not Go's
	return nil
}

var procGetHandleInformation = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation")

func expectNotInherited(t *testing.T, v uintptr) {
	t.Helper()
	var flags uint32
	ok, _, err := procGetHandleInformation.Call(v, uintptr(unsafe.Pointer(&flags)))
	if ok == 0 || flags&windows.HANDLE_FLAG_INHERIT != 0 {
		t.Errorf("flags of %#x = %#x (%v): a child would inherit it", v, flags, err)
	}
}

var procNtQueryObject = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtQueryObject")

// handleCount returns how many handles to an object are open, in all processes.
func handleCount(t *testing.T, h windows.Handle) uint32 {
	t.Helper()
	const objectBasicInformation = 0
	var info struct { // PUBLIC_OBJECT_BASIC_INFORMATION
		attributes, access, handles, pointers uint32
		reserved                              [10]uint32
	}
	status, _, _ := procNtQueryObject.Call(uintptr(h), objectBasicInformation,
		uintptr(unsafe.Pointer(&info)), unsafe.Sizeof(info), 0)
	if status != 0 {
		t.Fatalf("NtQueryObject: %#x", status)
	}
	return info.handles
}
