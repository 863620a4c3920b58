package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// needs skips a test of programs that are not installed.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}

// A process is a program that runs until the end of the test.
type process struct {
	cmd *exec.Cmd
	out output
}

// An output is what a process has written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts a program, and ends it with the test.
func start(t *testing.T, in io.Reader, name string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cmd: exec.CommandContext(ctx, name, args...)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, &p.out, &p.out
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	p.cmd.WaitDelay = patience
	p.cmd.Env = append(os.Environ(), "TERM=xterm", "GORACE=atexit_sleep_ms=0")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait() // it was interrupted
		if t.Failed() {
			t.Logf("%s said: %s", name, p.out.String())
		}
	})
	return p
}

// outputOf runs a program to its end, and returns what it has written.
func outputOf(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // also for cleaning up
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); !is(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// relayTo starts a relay, and returns the path at which it listens.
func relayTo(t *testing.T, target string) (front string, relay *process) {
	t.Helper()
	front = target + ".front"
	relay = start(t, nil, "afunix", "proxy", "-v", front, target)
	eventually(t, "a listener", func() bool { return strings.Contains(relay.out.String(), "listening at") })
	return front, relay
}

// A client of tmux sends its terminal to the server, as descriptors; what the server shows there it
// has written itself.
func TestTmuxAttachesThroughTheRelay(t *testing.T) {
	needs(t, "tmux", "script")
	back := filepath.Join(testenv.TempDir(t), "tmux")
	outputOf(t, "tmux", "-f", "/dev/null", "-S", back, "new-session", "-d", "-s", "shown", "cat")
	t.Cleanup(func() { outputOf(t, "tmux", "-S", back, "kill-server") })
	front, relay := relayTo(t, back)
	keys, nobody, err := os.Pipe() // somebody at a terminal who types nothing
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	defer nobody.Close()
	client := start(t, keys, "script", "-qfec", "tmux -S "+front+" attach -t shown", "/dev/null")
	eventually(t, "a client", func() bool {
		return strings.Contains(outputOf(t, "tmux", "-S", front, "list-clients"), "shown")
	})
	outputOf(t, "tmux", "-S", back, "send-keys", "-t", "shown", "through the relay", "Enter")
	eventually(t, "text on the terminal", func() bool {
		return strings.Contains(client.out.String(), "through the relay")
	})
	outputOf(t, "tmux", "-S", front, "detach-client", "-s", "shown")
	eventually(t, "descriptors that passed", func() bool {
		return strings.Contains(relay.out.String(), "descriptors up")
	})
}

// A client of a ControlMaster sends its standard input, output and error to the master.
func TestSSHControlMasterThroughTheRelay(t *testing.T) {
	needs(t, "ssh", "ssh-keygen", "/usr/sbin/sshd")
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Skip("sshd needs a directory: ", err)
	}
	dir := testenv.TempDir(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	outputOf(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", in("key"))
	port := unusedPort(t)
	start(t, nil, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", port, "-h", in("key"),
		"-o", "ListenAddress=127.0.0.1", "-o", "AuthorizedKeysFile="+in("key.pub"), "-o", "StrictModes=no",
		"-o", "UsePAM=no", "-o", "PermitRootLogin=yes", "-o", "PidFile=none")
	eventually(t, "a server", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	back := in("master")
	start(t, nil, "ssh", "-F", "/dev/null", "-N", "-M", "-S", back, "-p", port, "-i", in("key"),
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "127.0.0.1")
	awaitFile(t, back)
	front, relay := relayTo(t, back)
	// Without the master there is no other way.
	client := exec.CommandContext(t.Context(), "ssh", "-F", "/dev/null", "-S", front, "-o", "ProxyCommand=false", "127.0.0.1",
		"sed s/^/got:/; echo mistakes >&2")
	client.Stdin = strings.NewReader("through the relay\n")
	var out, errs strings.Builder
	client.Stdout, client.Stderr = &out, &errs
	client.WaitDelay = patience
	if err := client.Run(); err != nil || out.String() != "got:through the relay\n" || !strings.Contains(errs.String(), "mistakes\n") {
		t.Errorf("%v, %q, %q", err, out.String(), errs.String())
	}
	eventually(t, "descriptors that passed", func() bool {
		return strings.Contains(relay.out.String(), "and 3 descriptors up")
	})
}

func unusedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
