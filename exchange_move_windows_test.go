package afunix_test

import (
	"io"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/sock"
	"afunix/internal/winpipe"
)

// moves is how often an end moves in a test of what that leaves behind. (Wine takes its time.)
const moves = 10

var (
	ntdll            = windows.NewLazySystemDLL("ntdll.dll")
	ntSuspendProcess = ntdll.NewProc("NtSuspendProcess")
	ntResumeProcess  = ntdll.NewProc("NtResumeProcess")
)

// suspend makes a child do nothing until wake.
func suspend(t *testing.T, p *peer) { callWithChild(t, p, ntSuspendProcess) }

func wake(t *testing.T, p *peer) { callWithChild(t, p, ntResumeProcess) }

func callWithChild(t *testing.T, p *peer, call *windows.LazyProc) {
	t.Helper()
	h, err := windows.OpenProcess(windows.PROCESS_SUSPEND_RESUME, false, uint32(p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(h)
	if status, _, _ := call.Call(uintptr(h)); status != 0 {
		t.Fatalf("%s: status %#x", call.Name, status)
	}
}

// dialInSilence opens a pipe of the listener at path, and says no hello.
func dialInSilence(t *testing.T, path string, socketType uint8) io.Closer {
	t.Helper()
	p, err := winpipe.System{}.Dial(t.Context(), path, "", sock.Type(socketType))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
