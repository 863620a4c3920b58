package testenv

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

var (
	ntdll            = windows.NewLazySystemDLL("ntdll.dll")
	ntSuspendProcess = ntdll.NewProc("NtSuspendProcess")
	ntResumeProcess  = ntdll.NewProc("NtResumeProcess")
)

// Suspend makes a process do nothing until Resume.
func Suspend(p *os.Process) error { return callWith(p, ntSuspendProcess) }

// Resume ends a Suspend.
func Resume(p *os.Process) error { return callWith(p, ntResumeProcess) }

func callWith(p *os.Process, f *windows.LazyProc) error {
	h, err := windows.OpenProcess(windows.PROCESS_SUSPEND_RESUME, false, uint32(p.Pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	if status, _, _ := f.Call(uintptr(h)); status != 0 {
		return fmt.Errorf("%s: status %#x", f.Name, status)
	}
	return nil
}
