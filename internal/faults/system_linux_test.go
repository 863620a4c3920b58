package faults

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"afunix"
	"afunix/internal/leaktest"
)

// runTests fails on whatever is left behind.
func runTests(m *testing.M) { leaktest.Main(m) }

var transports = []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport}

// How often each variant of a victim is killed in TestFaults, and in each round of TestSoak.
const (
	killsInShort = 1
	killsInSoak  = 50
)

// suspend makes a worker do nothing until resume.
func (w *worker) suspend() error {
	if err := w.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		return err
	}
	var info unix.Siginfo // it has stopped when the kernel says so
	return os.NewSyscallError("waitid", unix.Waitid(unix.P_PID, w.cmd.Process.Pid, &info, unix.WSTOPPED|unix.WNOWAIT, nil))
}

func (w *worker) resume() error { return w.cmd.Process.Signal(unix.SIGCONT) }
