// Package testchild gives tests further processes: the test binary starts itself. It is for tests
// only.
package testchild

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"afunix/internal/leaktest"
)

const variable = "AFUNIX_TEST_CHILD"

// Main is the body of a TestMain: [leaktest.Main], or in a process that [Command] has started the
// function of that name, called with the arguments. Its error is written to standard error, and
// makes the exit status 1.
func Main(m *testing.M, children map[string]func(args []string) error) {
	name := os.Getenv(variable)
	if name == "" {
		leaktest.Main(m)
	}
	if err := children[name](os.Args[1:]); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}

// Command returns a command that runs one of the children. The process is killed when ctx ends.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err) // the system does not say which program this is
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), variable+"="+name, "GORACE=atexit_sleep_ms=0") // or each takes a second longer
	return cmd
}
