package testenv

import (
	"os"

	"golang.org/x/sys/unix"
)

// Suspend makes a child of this process do nothing until Resume.
func Suspend(p *os.Process) error {
	if err := p.Signal(unix.SIGSTOP); err != nil {
		return err
	}
	var info unix.Siginfo // it has stopped when the kernel says so
	return os.NewSyscallError("waitid", unix.Waitid(unix.P_PID, p.Pid, &info, unix.WSTOPPED|unix.WNOWAIT, nil))
}

// Resume ends a Suspend.
func Resume(p *os.Process) error { return p.Signal(unix.SIGCONT) }
