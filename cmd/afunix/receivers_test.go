package main

import (
	"context"
	"os"
	"strconv"

	"afunix"
	"afunix/cmd/afunix/internal/demo"

	"github.com/rogpeppe/go-internal/testscript"
)

// lie is a receiver that has not looked at what came out of the pipe.
func lie() {
	var transport transportFlag
	exitWith(transport.Set(os.Args[3])) // after the command and --transport
	c, err := dialOptions{transport: transport.Transport}.dial(context.Background(), os.Args[4])
	exitWith(err)
	r := demo.NewReceiver(c, transport.Transport)
	usePipe := r.Uses[afunix.KindPipe]
	r.Uses[afunix.KindPipe] = func(r afunix.Rights, i int) (did, saw string, err error) {
		_, _, err = usePipe(r, i)
		return "lied", "a guess", err
	}
	exitWith(r.Run(context.Background()))
	exitWith(c.Close())
	os.Exit(0)
}

// unlessReceiver is the command, but its receiver does something else.
func unlessReceiver(do func()) {
	if os.Args[1] == demo.ReceiverCommand {
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
