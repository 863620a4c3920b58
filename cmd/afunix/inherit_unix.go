//go:build unix

package main

import (
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"afunix"

	"github.com/spf13/cobra"
)

// firstInherited is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstInherited = 3

// inheriting prepares a command that inherits the descriptors, which release closes here once it has started. The command is
// started by this program in a process of its own, since only that knows its number, which LISTEN_PID has to be.
func inheriting(path string, args []string, rights []afunix.Rights) (cmd *exec.Cmd, release func(), err error) {
	var files []*os.File
	release = func() {
		for _, f := range files {
			f.Close()
		}
	}
	for _, r := range rights {
		for i := range r.Len() {
			f, err := r.File(i)
			if err != nil {
				release()
				return nil, nil, err
			}
			files = append(files, f)
		}
	}
	self, err := os.Executable()
	if err != nil {
		release()
		return nil, nil, err
	}
	cmd = exec.Command(self, append([]string{"inherit", strconv.Itoa(len(files)), path}, args...)...)
	cmd.ExtraFiles = files
	return cmd, release, nil
}

// systemCommands returns the commands that only this system has.
func systemCommands() []*cobra.Command { return []*cobra.Command{newInheritCommand()} }

// newInheritCommand is the first half of a command that recv has started: it becomes the command. Its arguments are the number
// of descriptors that it has inherited, the program's path, and the program's arguments from 0 on.
func newInheritCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "inherit N PATH ARG...",
		Hidden:             true,
		DisableFlagParsing: true,
		Args:               cobra.MinimumNArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil {
				return usagef("%s: not a number of descriptors", args[0])
			}
			for fd := firstInherited; fd < firstInherited+n; fd++ {
				if err := syscall.SetNonblock(fd, false); err != nil {
					return os.NewSyscallError("fcntl", err)
				}
			}
			err = syscall.Exec(args[1], args[2:], listenEnvironment(os.Environ(), n, os.Getpid()))
			return &os.PathError{Op: "exec", Path: args[1], Err: err}
		},
	}
}

// listenEnvironment returns the environment env for process pid, which has inherited n descriptors.
func listenEnvironment(env []string, n, pid int) []string {
	var kept []string
	for _, e := range env {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES": // ours, if anybody's
		default:
			kept = append(kept, e)
		}
	}
	return append(kept, "LISTEN_FDS="+strconv.Itoa(n), "LISTEN_PID="+strconv.Itoa(pid))
}

// relaySignals hands on what asks this process to end; an interrupt from the terminal the command gets anyway. It goes on until
// stop is called.
func relaySignals(p *os.Process) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, os.Interrupt)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if s != os.Interrupt {
					_ = p.Signal(s) // fails if it has ended, which is what was wanted
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// statusOf is the exit status as a shell has it.
func statusOf(state *os.ProcessState) int {
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return state.ExitCode()
}
