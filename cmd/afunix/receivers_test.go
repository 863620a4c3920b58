package main

import (
	"os"
	"strconv"

	"afunix"

	"github.com/rogpeppe/go-internal/testscript"
)

// liar is the command, but its receiver has not looked at what came out of the pipe.
func liar() {
	usePipeWell := uses[afunix.KindPipe]
	uses[afunix.KindPipe] = func(r afunix.Rights, i int) (did, saw string, err error) {
		_, _, err = usePipeWell(r, i)
		return "lied", "a guess", err
	}
	main()
}

// unlessReceiver is the command, but its receiver does something else.
func unlessReceiver(do func()) {
	if os.Args[1] == "demo-receiver" {
		do()
	}
	main()
}

// sleep leaves its number in the file "asleep", and waits for nothing.
func sleep() {
	r, w, err := os.Pipe()
	exitWith(err)
	exitWith(os.WriteFile("asleep.new", []byte(strconv.Itoa(os.Getpid())), 0o600))
	exitWith(os.Rename("asleep.new", "asleep"))
	_, err = r.Read(make([]byte, 1))
	exitWith(err)
	w.Close()
}

// gone FILE checks that the process whose number is in the file has ended.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	pid, err := strconv.Atoi(ts.ReadFile(args[0]))
	ts.Check(err)
	if isRunning(pid) {
		ts.Fatalf("process %d is still there", pid)
	}
}
