package faults

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// On Linux a step is where a system call begins or ends. The victim is traced, so nothing in it
// knows of that.

// syscallStop is the signal of a stop at a system call, with PTRACE_O_TRACESYSGOOD.
const syscallStop = unix.SIGTRAP | 0x80

// A trace kills a process at one of its steps.
type trace struct {
	at     int // the step; 0: it is not killed
	steps  int // how many there were
	killed bool
}

// by is a starter. What it notes in t is there when the process has been waited for.
func (t *trace) by(cmd *exec.Cmd) (wait func() error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true} // a group of its own, so that its threads can be waited for
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // which alone may trace; it ends with this goroutine
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- errors.Join(t.follow(cmd.Process.Pid), cmd.Process.Release())
		}
	}()
	return func() error { return <-ended }, <-started
}

// follow lets a process run until it ends, or is killed at its step. Each wait4 returns one thread
// that has stopped or ended.
func (t *trace) follow(pid int) error {
	marked, options := false, false
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-pid, &status, unix.WALL, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case tid == pid && status.Exited() && status.ExitStatus() != 0:
			return errors.New("it failed")
		case tid == pid && (status.Exited() || status.Signaled()): // the last one
			return nil
		case !status.Stopped():
			continue // another thread's end
		}
		if !options { // the first stop, at execve
			options = true
			if err := unix.PtraceSetOptions(tid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL); err != nil {
				return err
			}
		}
		pass := 0
		switch signal := status.StopSignal(); signal {
		case syscallStop:
			if marked && !t.killed {
				t.step(pid)
			}
		case unix.SIGTRAP, unix.SIGSTOP: // execve, a new thread
		case unix.SIGUSR2:
			marked = true
		default:
			pass = int(signal)
		}
		if err := unix.PtraceSyscall(tid, pass); err != nil && err != unix.ESRCH { // it may have been killed
			return err
		}
	}
}

// step counts, and kills.
func (t *trace) step(pid int) {
	t.steps++
	if t.steps == t.at {
		t.killed = true
		unix.Kill(pid, unix.SIGKILL) // it exists: its thread has stopped
	}
}

// beginSteps and endSteps are what a victim does around its steps.
func beginSteps(e errand) error {
	if !e.Stepped {
		return nil
	}
	return unix.Kill(unix.Getpid(), unix.SIGUSR2) // tells the tracer
}

func endSteps(*household, errand) error { return nil }

// stepsLine is what no victim says here.
const stepsLine = "steps"

func canStep(variant) bool { return true }

// pushes reports whether a victim may have pushed descriptors here before it died. Linux has no
// such thing.
func pushes(variant) bool { return false }

// open connects a victim.
func (e errand) open(h *household, g *goods) (victimEnd, error) { return e.openOverAPI(h, g) }

// manyFiles is how many files there are beside some messages.
const manyFiles = 100

// manyMessages is how many a victim sends and receives that is killed at a moment.
const manyMessages = 300
