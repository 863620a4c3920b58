package conformance

import (
	"errors"
	"os/exec"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix"
)

var getHandleInformation = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation")

func inherited(d afunix.Descriptor) bool {
	var flags uint32
	ok, _, _ := getHandleInformation.Call(uintptr(d), uintptr(unsafe.Pointer(&flags)))
	return ok == 0 || flags&windows.HANDLE_FLAG_INHERIT != 0
}

func closeDescriptor(d afunix.Descriptor) { windows.CloseHandle(windows.Handle(d)) }

// specials returns one of each kind that is no plain file.
func specials(e *env) map[string]special {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	e.check(err)
	e.Cleanup(func() { windows.CloseHandle(event) })
	return map[string]special{
		"event": {afunix.Descriptor(event), func(d afunix.Descriptor) error { return windows.SetEvent(windows.Handle(d)) }},
	}
}

func inheritsAtConnect() bool { return true }

const limitsDescriptors = false

func exhaustDescriptors() (free func(), err error) { return nil, errors.ErrUnsupported }

func asNobody(*exec.Cmd) (ok bool) { return false }

func isSocketFile(string) error { return errors.ErrUnsupported }

func umask(int) int { return 0 }
