// Command afunix hands open descriptors from process to process over AF_UNIX sockets, and shows
// that it works: see "afunix --help".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit statuses. A command that recv started gives its own.
const (
	statusOK      = 0
	statusFailure = 1
	statusUsage   = 2
)

// run is the command without the process around it: it returns the exit status. The first signal to
// end cancels what is under way, so that nothing is left behind; a second one kills.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && ctx.Err() != nil && !errors.As(err, new(exitStatus)) {
		err = errInterrupted
	}
	return report(errs, cmd.CommandPath(), err)
}

// report says in one line what went wrong, and returns the exit status for it.
func report(errs io.Writer, command string, err error) int {
	if err == nil {
		return statusOK
	}
	var usage *usageError
	var exit exitStatus
	text := strings.ReplaceAll(err.Error(), "\n", "; ") // of errors.Join
	switch {
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintf(errs, "%s: %s; see '%s --help'\n", command, text, command)
		return statusUsage
	}
	fmt.Fprintf(errs, "%s: %s\n", command, text)
	return statusFailure
}
