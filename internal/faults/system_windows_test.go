package faults

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/windows"

	"afunix"
)

// runTests does not fail on what is left behind at the end: victims have pushed some of it here, which is counted where they die.
func runTests(m *testing.M) { os.Exit(m.Run()) }

var transports = []afunix.Transport{afunix.PipeTransport}

// How often each variant of a victim is killed in TestFaults, and in each round of TestSoak. (Wine takes its time to start a process.)
const (
	killsInShort = 1
	killsInSoak  = 12
)

var (
	ntdll            = windows.NewLazySystemDLL("ntdll.dll")
	ntSuspendProcess = ntdll.NewProc("NtSuspendProcess")
	ntResumeProcess  = ntdll.NewProc("NtResumeProcess")
)

// suspend makes a worker do nothing until resume.
func (w *worker) suspend() error { return w.call(ntSuspendProcess) }

func (w *worker) resume() error { return w.call(ntResumeProcess) }

func (w *worker) call(f *windows.LazyProc) error {
	h, err := windows.OpenProcess(windows.PROCESS_SUSPEND_RESUME, false, uint32(w.cmd.Process.Pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	if status, _, _ := f.Call(uintptr(h)); status != 0 {
		return fmt.Errorf("%s: status %#x", f.Name, status)
	}
	return nil
}

func exhaustDescriptors(*round) error {
	return skip("nothing limits the handles of a process here, but the 16 million that a table holds")
}
