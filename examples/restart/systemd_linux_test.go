package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// freeAddress is where nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// elsewhere is where the server could not listen itself.
const elsewhere = "203.0.113.1:80"

// systemd's tool passes a listener, and the server hands it on to its successor.
func TestSystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("not installed: systemd-socket-activate")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address, control := freeAddress(t), filepath.Join(testenv.TempDir(t), "restart.sock")
	cmd := exec.CommandContext(t.Context(), tool, "--listen="+address, "--fdname=web", "--setenv="+versionVariable+"=1",
		"--setenv=GORACE=atexit_sleep_ms=0", self, "-listen", elsewhere, "-control", control)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, address: address}
	awaitListener(t, address) // which the tool itself makes; it starts the server for the first client
	first := process(t, address)
	if first != cmd.Process.Pid {
		t.Fatalf("process %d serves, not %d", first, cmd.Process.Pid)
	}
	if err := syscall.Kill(first, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.expectExit(t)
	second := process(t, address)
	if second == first {
		t.Errorf("process %d still serves", first)
	}
	if err := syscall.Kill(second, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expectGone(t, control)
}

func awaitListener(t *testing.T, address string) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatal(err)
		}
	}
}

// mainPID is which process the manager takes for the service.
func mainPID(t *testing.T, r *testenv.Systemd) int {
	t.Helper()
	pid, err := strconv.Atoi(r.MustRun(t, "systemctl --user show web -P MainPID"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// The service manager itself follows from process to process, and knows of a restart that has
// failed as little as the clients.
func TestSystemdFollowsTheMainProcess(t *testing.T) {
	r := testenv.NewSystemd(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := testenv.TempDir(t)
	program, address := filepath.Join(dir, "server"), freeAddress(t)
	install := func(file string) {
		t.Helper()
		if err := os.Symlink(file, program+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(program+".new", program); err != nil {
			t.Fatal(err)
		}
	}
	install(self)
	r.Write(t, "web.service", fmt.Sprintf(`[Service]
Type=notify
Environment=%s=1 GORACE=atexit_sleep_ms=0
ExecStart=%s -listen %s -control %s/restart.sock
ExecReload=kill -HUP $MAINPID
StandardError=append:%s/log
`, versionVariable, program, address, dir, dir))
	r.MustRun(t, "systemctl --user start web")
	expectMain := func() int {
		t.Helper()
		pid := process(t, address)
		if main := mainPID(t, r); main != pid {
			t.Fatalf("process %d serves, and the service manager thinks that %d does", pid, main)
		}
		return pid
	}
	first := expectMain()

	install("/bin/false")
	r.MustRun(t, "systemctl --user reload web")
	expectLog(t, filepath.Join(dir, "log"), "has ended before it was ready")
	if pid := expectMain(); pid != first {
		t.Errorf("process %d serves, though its program is no server", pid)
	}

	install(self)
	r.MustRun(t, "systemctl --user reload web")
	r.MustRun(t, fmt.Sprintf("tail --pid=%d -f /dev/null", first)) // until it has left
	if pid := expectMain(); pid == first {
		t.Errorf("process %d still serves", pid)
	}
	if state := r.MustRun(t, "systemctl --user show web -P SubState"); state != "running" {
		t.Errorf("the service is %s", state)
	}
	r.MustRun(t, "systemctl --user stop web")
	if result := r.MustRun(t, "systemctl --user show web -P Result"); result != "success" { // and not "signal"
		t.Errorf("the service ends with %s", result)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || strings.Contains(string(log), "notify") {
		t.Errorf("the servers say: %s (%v)", log, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "restart.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket file: %v", err)
	}
}

// expectLog waits until a line of the file contains the text.
func expectLog(t *testing.T, path, text string) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		log, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(log), text) {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("the log says %q, %v", log, err)
		}
	}
}
