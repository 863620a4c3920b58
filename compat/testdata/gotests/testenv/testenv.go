// Package testenv stands in for Go's internal/testenv.
package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// SkipFlaky does not skip.
func SkipFlaky(testing.TB, int) {}

// MustHaveExec does not skip.
func MustHaveExec(testing.TB) {}

// Executable returns the test binary.
func Executable(t testing.TB) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Command is exec.Command.
func Command(_ testing.TB, name string, args ...string) *exec.Cmd { return exec.Command(name, args...) }
