//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// systemPrograms are those that only make sense here.
var systemPrograms = map[string]func(){
	"keeper":   func() { exitWith(keeper(os.Args[1])) },
	"visitor":  func() { exitWith(visitor()) },
	"sluggard": func() { exitWith(sluggard(os.Args[1])) },
}

// inheritedFiles returns what the process has inherited in the way of sd_listen_fds(3).
func inheritedFiles() ([]*os.File, error) {
	if pid := os.Getenv("LISTEN_PID"); pid != strconv.Itoa(os.Getpid()) {
		return nil, fmt.Errorf("LISTEN_PID is %s, not %d", pid, os.Getpid())
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range n {
		files = append(files, os.NewFile(uintptr(3+i), "inherited"))
	}
	return files, nil
}

// stale FILE leaves a socket file without a listener.
func stale(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unix"})
	ts.Check(err)
	l.SetUnlinkOnClose(false)
	ts.Check(l.Close())
}

func isRunning(pid int) bool { return syscall.Kill(pid, 0) == nil }
