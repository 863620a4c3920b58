package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"afunix/internal/leaktest"
)

// childVariable makes the test binary the program.
const childVariable = "AFUNIX_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		leaktest.Main(m)
	}
	main()
	os.Exit(0)
}

func TestTwoProcessesCountInTheSameMemory(t *testing.T) {
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), childVariable+"=1", "GORACE=atexit_sleep_ms=0")
		return cmd
	}
	out := new(strings.Builder)
	if err := run(command, out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "two processes have counted to 200000\n" {
		t.Errorf("it prints %q", got)
	}
}
