//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const nobody = 65534

// A worker without any privileges reads what it may not open.
func TestWorkerOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	dir := opener(t, "65534")
	program := copyOfSelf(t, dir)
	as := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = append(os.Environ(), workerVariable+"=1", "GORACE=atexit_sleep_ms=0")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := as("/bin/cat", filepath.Join(dir, "files", "key")); err == nil {
		t.Fatalf("the worker needs no opener: %q", out)
	}
	if out, err := as(program, "read", filepath.Join(dir, "s"), "key"); out != "a secret" || err != nil {
		t.Errorf("the worker reads %q, %v", out, err)
	}
	if out, err := as(program, "read", filepath.Join(dir, "s"), "../other"); err == nil || !strings.Contains(out, "the opener says") {
		t.Errorf("the worker reads %q, %v", out, err)
	}
}

// copyOfSelf is this program where everybody may run it.
func copyOfSelf(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "worker")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
