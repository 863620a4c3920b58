package main

import (
	"context"
	"os"
	"strconv"
	"strings"

	"afunix"

	"github.com/rogpeppe/go-internal/testscript"
)

// systemPrograms are those that only make sense here: none.
var systemPrograms map[string]func()

// inheritedFiles returns what the process has inherited, as "afunix recv --help" says.
func inheritedFiles() ([]*os.File, error) {
	var files []*os.File
	for value := range strings.SplitSeq(os.Getenv("AFUNIX_HANDLES"), ",") {
		h, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return nil, err
		}
		files = append(files, os.NewFile(uintptr(h), "inherited"))
	}
	return files, nil
}

// stale FILE leaves a socket file without a listener.
func stale(ts *testscript.TestScript, neg bool, args []string) {
	var lc afunix.ListenConfig
	l, err := lc.Listen(context.Background(), "unix", ts.MkAbs(args[0]))
	ts.Check(err)
	l.SetUnlinkOnClose(false)
	ts.Check(l.Close())
}

func isRunning(pid int) bool {
	p, err := os.FindProcess(pid) // opens it
	if err != nil {
		return false
	}
	p.Release()
	return true
}
