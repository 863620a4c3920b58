package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"afunix"

	"github.com/spf13/cobra"
	"golang.org/x/sys/windows"
)

// handlesVariable tells the command its handles: decimal numbers, separated by commas.
const handlesVariable = "AFUNIX_HANDLES"

// addBlocking adds nothing: there is no flag of a handle that says whether calls wait.
func addBlocking(*cobra.Command) *bool { return new(bool) }

// A handle is one that this process hands down.
type handle struct {
	value  windows.Handle
	socket bool
}

func (h handle) close() {
	if h.socket {
		windows.Closesocket(h.value)
	} else {
		windows.CloseHandle(h.value)
	}
}

// inheriting prepares a command that inherits the handles, which release closes here once it has
// started. They can be inherited by nobody else: package os names to the system what a process may
// inherit.
func inheriting(path string, args []string, rights []afunix.Rights, _ bool) (cmd *exec.Cmd, release func(), err error) {
	handles, release, err := takeHandles(rights)
	if err != nil {
		return nil, nil, err
	}
	cmd = exec.Command(path, args[1:]...)
	cmd.SysProcAttr = new(syscall.SysProcAttr)
	var values []string
	for _, h := range handles {
		if err := windows.SetHandleInformation(h.value, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
			release()
			return nil, nil, os.NewSyscallError("SetHandleInformation", err)
		}
		cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(h.value))
		values = append(values, strconv.FormatUint(uint64(h.value), 10))
	}
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", handlesVariable, strings.Join(values, ",")))
	return cmd, release, nil
}

func takeHandles(rights []afunix.Rights) (handles []handle, release func(), err error) {
	release = func() {
		for _, h := range handles {
			h.close()
		}
	}
	for _, r := range rights {
		for i := range r.Len() {
			d, err := r.Descriptor(i)
			if err != nil {
				release()
				return nil, nil, err
			}
			handles = append(handles, handle{windows.Handle(d), isSocket(r.Kind(i))})
		}
	}
	return handles, release, nil
}

func isSocket(k afunix.Kind) bool {
	switch k {
	case afunix.KindStream, afunix.KindListener, afunix.KindDatagram, afunix.KindUnix, afunix.KindUnixListener:
		return true
	}
	return false
}

// systemCommands returns the commands that only this system has: none.
func systemCommands() []*cobra.Command { return nil }

// relaySignals only outlives the interrupts, which all processes of a console get.
func relaySignals(*os.Process) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	return func() { signal.Stop(signals) }
}

func statusOf(state *os.ProcessState) int { return state.ExitCode() }
