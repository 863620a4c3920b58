package faults

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// handleSlack is by how much the number of handles may differ without a leak: package leaktest
// knows only on average how many events the threads have. It stays the same however often a
// scenario is repeated.
const handleSlack = 4

// threads counts those of this process in the list of all.
func threads() (n int, err error) {
	list, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return 0, err
	}
	defer windows.CloseHandle(list)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(list, &entry); err == nil; err = windows.Thread32Next(list, &entry) {
		if entry.OwnerProcessID == uint32(os.Getpid()) {
			n++
		}
	}
	if err == windows.ERROR_NO_MORE_FILES {
		err = nil
	}
	return n, err
}
