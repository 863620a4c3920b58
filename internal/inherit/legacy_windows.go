package inherit

import (
	"os/exec"
	"runtime"
	"syscall"

	"afunix/internal/descriptor"

	"golang.org/x/sys/windows"
)

// A Legacy is a handle that a child inherits. One that is dropped is closed by the garbage
// collector.
type Legacy struct {
	handle  windows.Handle
	dropped runtime.Cleanup
}

// newLegacy makes a handle that can be inherited, in general. Package os tells the system for each
// process which handles those are (a PROC_THREAD_ATTRIBUTE_HANDLE_LIST), so no other child gets it.
func newLegacy(v uintptr) (*Legacy, error) {
	self := windows.CurrentProcess()
	l := new(Legacy)
	if err := windows.DuplicateHandle(self, windows.Handle(v), self, &l.handle, 0, true, windows.DUPLICATE_SAME_ACCESS); err != nil {
		return nil, err
	}
	l.dropped = runtime.AddCleanup(l, func(h windows.Handle) { _ = windows.CloseHandle(h) }, l.handle)
	return l, nil
}

// Close closes the handle here. It may be called once.
func (l *Legacy) Close() error {
	l.dropped.Stop()
	return windows.CloseHandle(l.handle)
}

// attach makes cmd hand the handle down, and completes what the child is told. It has the same
// value there. As long as there is cmd, l is not dropped: cmd has the bare number.
func (l *Legacy) attach(cmd *exec.Cmd, b Bequest) Bequest {
	runtime.AddCleanup(cmd, func(*Legacy) {}, l)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles,
		syscall.Handle(l.handle))
	b.Value = uintptr(l.handle)
	return b
}

// secure keeps an inherited handle from the children of this process, in case they are started
// without a list of the handles that they may inherit. It reports whether there is such a handle.
// If the variable lies, to ask what kind of file the handle is might wait for a process that is
// reading from it. That is found out later.
func secure(b Bequest) bool {
	if kind, err := descriptor.ObjectType(b.Value); err != nil || kind != "File" {
		return false
	}
	return windows.SetHandleInformation(windows.Handle(b.Value), windows.HANDLE_FLAG_INHERIT, 0) == nil
}
