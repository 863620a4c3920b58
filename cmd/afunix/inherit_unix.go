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

// addBlocking gives recv the flag --blocking, and returns what it says when the command runs.
func addBlocking(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("blocking", false, "clear O_NONBLOCK for CMD, and for whoever else has the descriptors")
}

// inheriting prepares a command that inherits the descriptors, which release closes here once it
// has started. The command is started by this program in a process of its own, since only that
// knows its number, which LISTEN_PID has to be. Whether calls wait is left as it came, unless they
// are to: the flag belongs to all who have the descriptor, the sender, too.
func inheriting(path string, args []string, rights []afunix.Rights,
	blocking bool) (cmd *exec.Cmd, release func(), err error) {
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
	if blocking {
		if err := block(files); err != nil {
			release()
			return nil, nil, err
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

// block makes calls wait.
func block(files []*os.File) error {
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		var failed error
		if err := raw.Control(func(fd uintptr) { failed = syscall.SetNonblock(int(fd), false) }); err != nil {
			return err
		}
		if failed != nil {
			return os.NewSyscallError("fcntl", failed)
		}
	}
	return nil
}

// systemCommands returns the commands that only this system has.
func systemCommands() []*cobra.Command { return []*cobra.Command{newInheritCommand()} }

// newInheritCommand is the first half of a command that recv has started: it becomes the command.
// Its arguments are the number of descriptors that it has inherited, the program's path, and the
// program's arguments from 0 on.
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

// relaySignals hands on what asks this process to end; an interrupt from the terminal the command
// gets anyway. It goes on until stop is called.
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
