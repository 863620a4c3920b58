package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
	"afunix/upgrade"
)

// A serviceManager is the receiving end of sd_notify(3).
type serviceManager struct{ conn *afunix.Conn }

func newServiceManager(t *testing.T, address string) serviceManager {
	t.Helper()
	conn, err := afunix.ListenPacket("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		os.Remove(address)
	})
	conn.SetDeadline(time.Now().Add(patience))
	t.Setenv("NOTIFY_SOCKET", address)
	t.Setenv("SYSTEMD_EXEC_PID", strconv.Itoa(os.Getpid())) // so it is one that knows this process's number, also where that runs in a container
	return serviceManager{conn}
}

func (m serviceManager) expect(t *testing.T, want string) {
	t.Helper()
	buf := make([]byte, 1000)
	n, err := m.conn.Read(buf)
	if string(buf[:n]) != want || err != nil {
		t.Fatalf("the manager is told %q, %v; want %q", buf[:n], err, want)
	}
}

// The first process tells the manager that it is ready. That another one serves, the manager is
// told by the one that it knows, and only when it does.
func TestServiceManagerIsToldWhoServes(t *testing.T) {
	cfg, failed := withFailures(t)
	manager := newServiceManager(t, cfg.Address+".notify")
	main := fmt.Sprint("MAINPID=", os.Getpid())
	serving(t, cfg, "first")
	manager.expect(t, "READY=1\n"+main)
	second, _ := preparing(t, cfg, "second")
	second.Close()
	failed.expect(t) // of which the manager hears nothing
	serving(t, cfg, "third")
	manager.expect(t, main+"\nREADY=1")
	manager.expect(t, "READY=1\n"+main)
}

func TestServiceManagerWithAnAbstractName(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		t.Skip("no abstract names on this system")
	}
	cfg := upgrade.Config{Address: address(t)}
	manager := newServiceManager(t, fmt.Sprintf("@afunix-upgrade-test-%d", os.Getpid()))
	serving(t, cfg, "first")
	manager.expect(t, fmt.Sprint("READY=1\nMAINPID=", os.Getpid()))
}

// Whom the service manager knows, nobody can follow without its knowing.
func TestServiceManagerThatIsGone(t *testing.T) {
	cfg, failed := withFailures(t)
	manager := newServiceManager(t, cfg.Address+".notify")
	first, addr := serving(t, cfg, "first")
	manager.expect(t, fmt.Sprint("READY=1\nMAINPID=", os.Getpid()))
	t.Setenv("NOTIFY_SOCKET", cfg.Address+".nowhere")
	second, _ := preparing(t, cfg, "second")
	if err := second.Ready(within(t)); err == nil {
		t.Error("it serves, and its manager does not know")
	}
	os.Unsetenv("NOTIFY_SOCKET")
	failed.expect(t)
	expectGreeting(t, "tcp", addr, "first")
	serving(t, cfg, "third")
	expectDone(t, first)
}

// Nor does a successor serve that cannot reach it, where the predecessor can.
func TestServiceManagerThatTheSuccessorCannotReach(t *testing.T) {
	cfg, failed := withFailures(t)
	manager := newServiceManager(t, cfg.Address+".notify")
	first, addr := serving(t, cfg, "first")
	manager.expect(t, fmt.Sprint("READY=1\nMAINPID=", os.Getpid()))
	said, cmd := new(strings.Builder), child("serve", "second", cfg.Address)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+cfg.Address+".nowhere")
	cmd.Stderr = said
	if err := cmd.Run(); err == nil || !strings.Contains(said.String(), "notify the service manager") {
		t.Errorf("%v: %s", err, said)
	}
	failed.expect(t)
	expectGreeting(t, "tcp", addr, "first")
	first.Close()
}

// badManagers are values of NOTIFY_SOCKET that lead nowhere, by what is wrong with them, and what
// Failed is told.
func badManagers(t *testing.T) map[string]struct {
	address string
	want    error
} {
	dir := testenv.TempDir(t)
	here := filepath.Join(dir, "file")
	if err := os.WriteFile(here, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "left")
	if l, err := afunix.ListenPacket("unixgram", left); err != nil {
		t.Fatal(err)
	} else {
		l.Close() // the file of a datagram socket stays
	}
	stream, err := afunix.Listen("unix", filepath.Join(dir, "stream"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	return map[string]struct {
		address string
		want    error
	}{
		"no file":                 {filepath.Join(dir, "nowhere"), fs.ErrNotExist},
		"no directory":            {filepath.Join(dir, "nowhere", "notify"), fs.ErrNotExist},
		"nobody listens":          {left, syscall.ECONNREFUSED},
		"a file":                  {here, syscall.ECONNREFUSED},
		"a directory":             {dir, syscall.ECONNREFUSED},
		"a stream":                {stream.Addr().String(), syscall.EPROTOTYPE},
		"too long":                {filepath.Join(dir, strings.Repeat("x", 300)), syscall.EINVAL},
		"a name that nobody has":  {"@afunix-nobody-has-this-name", syscall.ECONNREFUSED},
		"no name":                 {"@", errors.ErrUnsupported},
		"relative":                {"notify", errors.ErrUnsupported},
		"relative, of the parent": {"../notify", errors.ErrUnsupported},
		"a virtual machine's":     {"vsock:2:9999", errors.ErrUnsupported},
		"its stream":              {"vsock-stream:2:9999", errors.ErrUnsupported},
		"something else":          {"tcp:127.0.0.1:9", errors.ErrUnsupported},
	}
}

// A NOTIFY_SOCKET that leads nowhere, in a container or as a variable that has come here by
// accident, keeps nobody from serving, nor from having a successor.
func TestNotifySocketLeadsNowhere(t *testing.T) {
	for name, bad := range badManagers(t) {
		t.Run(name, func(t *testing.T) {
			cfg, failed := withFailures(t)
			t.Setenv("NOTIFY_SOCKET", bad.address)
			first, addr := serving(t, cfg, "first")
			if err := failed.expect(t); !errors.Is(err, bad.want) {
				t.Errorf("Failed is told: %v; want %v", err, bad.want)
			}
			expectGreeting(t, "tcp", addr, "first")
			serving(t, cfg, "second")
			expectDone(t, first)
			failed.expect(t)
			expectGreeting(t, "tcp", addr, "second")
		})
	}
}

// A service manager that reads nothing is waited for, but by a process that serves.
func TestServiceManagerThatReadsNothing(t *testing.T) {
	cfg, failed := withFailures(t)
	manager := newServiceManager(t, cfg.Address+".notify")
	manager.fill(t)
	first, addr := preparing(t, cfg, "first")
	ctx, cancel := context.WithCancel(within(t))
	done := make(chan error, 1)
	go func() { done <- first.Ready(ctx) }()
	expectGreeting(t, "tcp", addr, "first")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := failed.expect(t); !errors.Is(err, context.Canceled) && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	manager.drain(t)
	serving(t, cfg, "second")
	expectDone(t, first)
	manager.expect(t, fmt.Sprint("MAINPID=", os.Getpid(), "\nREADY=1"))
}

// drain reads everything.
func (m serviceManager) drain(t *testing.T) {
	t.Helper()
	for {
		m.conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := m.conn.Read(make([]byte, 1000)); err != nil {
			m.conn.SetDeadline(time.Now().Add(patience))
			return
		}
	}
}

// fill sends to the manager until it has no room for more.
func (m serviceManager) fill(t *testing.T) {
	t.Helper()
	c, err := afunix.Dial("unixgram", m.conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for err == nil {
		c.SetDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = c.Write([]byte("STATUS=busy"))
	}
}
