package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// loop is the script in docs/UPGRADE.md.
func loop(t *testing.T) []byte {
	t.Helper()
	page, err := os.ReadFile("../../docs/UPGRADE.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/UPGRADE.md has no script")
	}
	return block[1]
}

// A container is a process 1, in a PID namespace of its own with its own /proc.
type container struct {
	cmd     *exec.Cmd
	address string
}

// newContainer runs a version of the server below the loop, or, with none, as process 1.
func newContainer(t *testing.T, loop ...string) *container {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to make namespaces")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address, control := freeAddress(t), filepath.Join(testenv.TempDir(t), "restart.sock")
	args := append([]string{"--pid", "--fork", "--kill-child", "--mount-proc"}, loop...)
	cmd := exec.CommandContext(t.Context(), "unshare", append(args, self, "-listen", address, "-control", control)...)
	cmd.Env = append(os.Environ(), versionVariable+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.WaitDelay = patience
	// Whoever ignores SIGHUP, as after nohup, starts programs that do, too, and a shell cannot trap
	// what it was started to ignore. A signal that is caught here is not ignored there.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	awaitListener(t, address)
	return &container{cmd, address}
}

// signal sends a signal to process 1.
func (c *container) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(children), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// expectOther waits until another process serves than that.
func (c *container) expectOther(t *testing.T, than int) (pid int) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if pid = process(t, c.address); pid != than {
			return pid
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("process %d still serves", pid)
		}
	}
}

// The loop replaces the server as often as it is told to, and ends with the last one.
func TestLoopAsProcess1(t *testing.T) {
	script := filepath.Join(testenv.TempDir(t), "loop")
	if err := os.WriteFile(script, loop(t), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, shell := range []string{"dash", "bash"} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skip("not installed: ", shell)
			}
			c := newContainer(t, shell, script)
			pid := process(t, c.address)
			for range 3 {
				c.signal(t, syscall.SIGHUP)
				pid = c.expectOther(t, pid)
			}
			c.signal(t, syscall.SIGTERM)
			if err := c.cmd.Wait(); err != nil {
				t.Errorf("the container ends with %v", err)
			}
		})
	}
}

// A server that is process 1 goes on when it is asked to replace itself.
func TestServerAsProcess1(t *testing.T) {
	c := newContainer(t)
	if pid := process(t, c.address); pid != 1 {
		t.Fatalf("process %d serves", pid)
	}
	c.signal(t, syscall.SIGHUP)
	for range 20 {
		if pid := process(t, c.address); pid != 1 {
			t.Fatalf("process %d serves", pid)
		}
	}
	c.signal(t, syscall.SIGTERM)
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the container ends with %v", err)
	}
}
