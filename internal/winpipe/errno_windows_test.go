package winpipe

import (
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// What a disk says on which no socket file can be made is what it says on Linux. Wine does not tell
// the first from EACCES.
func TestErrorsOfADisk(t *testing.T) {
	for from, want := range map[error]error{
		windows.ERROR_WRITE_PROTECT:    syscall.EROFS,
		windows.ERROR_ACCESS_DENIED:    syscall.EACCES,
		windows.ERROR_DISK_FULL:        syscall.ENOSPC,
		windows.ERROR_HANDLE_DISK_FULL: syscall.ENOSPC,
	} {
		if got := bindErrno("socket", from); got != want {
			t.Errorf("%v: %v, want %v", from, got, want)
		}
	}
}
