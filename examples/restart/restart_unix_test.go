//go:build unix

package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// On SIGHUP the server starts its successor by itself.
func TestHangupRestarts(t *testing.T) {
	control := filepath.Join(testenv.TempDir(t), "restart.sock")
	s := launch(t, 1, "127.0.0.1:0", control)
	if pid := process(t, s.address); pid != s.cmd.Process.Pid {
		t.Fatalf("process %d serves, not %d", pid, s.cmd.Process.Pid)
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.expectExit(t)
	pid := process(t, s.address)
	if pid == s.cmd.Process.Pid {
		t.Errorf("process %d still serves", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expectGone(t, control)
}

// expectGone waits until a file is removed, which is how a process that is nobody's child shows
// that it ends.
func expectGone(t *testing.T, path string) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%s is still there", path)
		}
	}
}

// process asks the server for its number, over a connection of its own.
func process(t *testing.T, address string) int {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`process (\d+)`).FindSubmatch(text)
	if number == nil {
		t.Fatalf("the server says %q", text)
	}
	pid, err := strconv.Atoi(string(number[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
