package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"afunix/internal/testenv"
)

// systemd's tool passes two listeners, and no names: the server gets the one at its address.
func TestSystemdSocketActivateWithoutNames(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("not installed: systemd-socket-activate")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other, address, control := freeAddress(t), freeAddress(t), filepath.Join(testenv.TempDir(t), "restart.sock")
	cmd := exec.CommandContext(t.Context(), tool, "--listen="+other, "--listen="+address,
		"--setenv="+versionVariable+"=1",
		"--setenv=GORACE=atexit_sleep_ms=0", self, "-listen", address, "-control", control)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, address: address}
	awaitListener(t, address)
	if pid := process(t, address); pid != cmd.Process.Pid {
		t.Fatalf("process %d serves, not %d", pid, cmd.Process.Pid)
	}
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.expectExit(t)
}

// A socket unit passes several sockets under one name, and what is no socket. The first version of
// the server asks for one of them, the next for another, which the first has kept for it.
func TestSystemdSocketsOfOneName(t *testing.T) {
	r := testenv.NewSystemd(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := testenv.TempDir(t)
	first, second := freeAddress(t), freeAddress(t)
	script, flags := filepath.Join(dir, "server"), filepath.Join(dir, "flags")
	const program = `#!/bin/bash
exec -a "$0" %s $(cat %s) -control %s/restart.sock # which the server takes for its program
`
	if err := os.WriteFile(script, fmt.Appendf(nil, program, self, flags, dir), 0o700); err != nil {
		t.Fatal(err)
	}
	listenAt := func(address string) {
		t.Helper()
		if err := os.WriteFile(flags, []byte("-listen "+address), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.Write(t, "web.socket", fmt.Sprintf(`[Socket]
FileDescriptorName=web
ListenFIFO=%s/fifo
ListenDatagram=%s
ListenStream=%s
ListenStream=%s
`, dir, first, first, second))
	r.Write(t, "web.service", fmt.Sprintf(`[Service]
Type=notify
Environment=%s=1 GORACE=atexit_sleep_ms=0
ExecStart=%s
ExecReload=kill -HUP $MAINPID
StandardError=append:%s/log
`, versionVariable, script, dir))
	listenAt(first)
	r.MustRun(t, "systemctl --user start web.socket web.service")
	pid := process(t, first)

	listenAt(second)
	r.MustRun(t, "systemctl --user reload web")
	r.MustRun(t, fmt.Sprintf("tail --pid=%d -f /dev/null", pid)) // until it has left
	next := process(t, second)
	if main := mainPID(t, r); next == pid || main != next {
		t.Errorf("process %d serves after %d, and the service manager thinks that %d does", next, pid, main)
	}

	listenAt(first)
	r.MustRun(t, "systemctl --user reload web")
	r.MustRun(t, fmt.Sprintf("tail --pid=%d -f /dev/null", next))
	if process(t, first) == next {
		t.Errorf("process %d still serves", next)
	}
	r.MustRun(t, "systemctl --user stop web.service web.socket")
}
