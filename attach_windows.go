package afunix

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/kernel"
	"afunix/internal/transport"

	"golang.org/x/sys/windows"
)

// A legacy is a handle that a child inherits. One that is dropped is closed by the garbage
// collector.
type legacy struct {
	handle  windows.Handle
	dropped runtime.Cleanup
}

// newLegacy makes a handle that can be inherited, in general. Package os tells the system for each process which handles those are (a
// PROC_THREAD_ATTRIBUTE_HANDLE_LIST), so no other child gets it.
func newLegacy(v uintptr) (*legacy, error) {
	self := windows.CurrentProcess()
	l := new(legacy)
	if err := windows.DuplicateHandle(self, windows.Handle(v), self, &l.handle, 0, true, windows.DUPLICATE_SAME_ACCESS); err != nil {
		return nil, err
	}
	l.dropped = runtime.AddCleanup(l, func(h windows.Handle) { _ = windows.CloseHandle(h) }, l.handle)
	return l, nil
}

// Close closes the handle here. It may be called once.
func (l *legacy) Close() error {
	l.dropped.Stop()
	return windows.CloseHandle(l.handle)
}

// attach makes cmd hand the handle down, and completes what the child is told. It has the same
// value there. As long as there is cmd, l is not dropped: cmd has the bare number.
func (l *legacy) attach(cmd *exec.Cmd, b bequest) bequest {
	runtime.AddCleanup(cmd, func(*legacy) {}, l)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(l.handle))
	b.Value = uintptr(l.handle)
	return b
}

// secure keeps an inherited handle from the children of this process, in case somebody starts them
// without naming what they may inherit. It reports whether there is such a one. What kind of file
// it is could not be asked without waiting, if the variable lies, for whoever is reading from it;
// that is found out later.
func secure(b bequest) bool {
	if kind, err := descriptor.ObjectType(b.Value); err != nil || kind != "File" {
		return false
	}
	return windows.SetHandleInformation(windows.Handle(b.Value), windows.HANDLE_FLAG_INHERIT, 0) == nil
}

// A socket of the system's own AF_UNIX has no pair, and is not inherited: what DuplicateHandle makes of it is no socket to Winsock.

func leaveKernel(*kernel.Conn) (estate, error) { return estate{}, errors.ErrUnsupported }

func inheritKernel(uintptr) (transport.Conn, error) { return nil, errors.ErrUnsupported }
