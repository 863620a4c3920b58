package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const patience = 60 * time.Second // a compiler may be slow

// tool finds a program that the test needs.
func tool(t *testing.T, name string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the kernel of this system passes no descriptors")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("not installed: ", name)
	}
	return path
}

func TestC(t *testing.T) {
	dir := testenv.TempDir(t)
	peer := filepath.Join(dir, "peer")
	run(t, tool(t, "gcc"), "-Wall", "-Wextra", "-Werror", "-o", peer, filepath.Join("c", "peer.c"))
	testExchange(t, dir, "from C: theirs\n", peer)
}

func TestPython(t *testing.T) {
	python := tool(t, "python3")
	if out, err := exec.Command(python, "-c", "import socket; socket.send_fds").CombinedOutput(); err != nil {
		t.Skipf("this Python has no socket.send_fds (it came with 3.9): %s", out)
	}
	testExchange(t, testenv.TempDir(t), "from Python: theirs\n", python, filepath.Join("python", "peer.py"))
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

// testExchange exchanges files with the peer.
func testExchange(t *testing.T, dir, want string, peer ...string) {
	t.Helper()
	ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	for path, text := range map[string]string{ours: "ours\n", theirs: "theirs\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := afunix.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(patience))
	printed := new(strings.Builder)
	exchanged := make(chan error, 1)
	go func() { exchanged <- exchange(l, ours, printed) }()
	said := run(t, append(peer, filepath.Join(dir, "s"), theirs)...)
	if err := <-exchanged; err != nil {
		t.Error(err)
	}
	if said != "from Go: ours\n" {
		t.Errorf("the peer prints %q", said)
	}
	if printed.String() != want {
		t.Errorf("we print %q, want %q", printed, want)
	}
}
