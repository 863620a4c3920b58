package upgrade

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// errSomebodyElses is what is known here of the end of a process whose parent is another one.
var errSomebodyElses = errors.New("its exit status went to the service manager")

// asSibling makes cmd start a sibling of this process, which has a service manager: a child of the
// manager. When systemd is told that the main process is none of its own children it does not wait
// for it when it stops the service, but sends SIGKILL right behind SIGTERM (unit_kill_context in
// its src/core/unit.c); and of its end it might hear nothing. It returns what waits for the
// process.
func asSibling(cmd *exec.Cmd) (wait func() error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_PARENT
	return func() error {
		err := cmd.Process.WithHandle(func(pidfd uintptr) { waitReadable(int(pidfd)) })
		if errors.Is(err, os.ErrNoHandle) {
			return err
		}
		if err := cmd.Wait(); err != nil && !errors.Is(err, syscall.ECHILD) {
			return err
		}
		return errSomebodyElses
	}
}

// waitReadable waits for a process to end, which is when its pidfd can be read from
// (pidfd_open(2)).
func waitReadable(pidfd int) {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return
		}
	}
}
