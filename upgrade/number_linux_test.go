package upgrade_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
	"afunix/upgrade"
)

func init() {
	children["serve by pipe"] = func(args []string) error {
		return serveAs(args[0], upgrade.Config{Address: args[1], Transport: afunix.PipeTransport})
	}
	children["process 1"] = process1
	children["start"] = startAll
	children["managed"] = underManager
}

// elsewhere makes cmd start in a PID namespace of its own, in which it is process 1.
func elsewhere(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to make namespaces")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	return cmd
}

// startAll is process 1 of a PID namespace, in which it starts one of the children, and waits for
// it.
func startAll(args []string) error {
	cmd := child(args[0], args[1:]...)
	cmd.Stdout = os.Stdout
	return cmd.Run()
}

// From here a process below is seen, and the manager is told its number here; what it is numbered
// there nobody hears.
func TestSuccessorInAPIDNamespaceBelow(t *testing.T) {
	for _, name := range []string{"serve", "serve by pipe"} {
		t.Run(name, func(t *testing.T) {
			cfg := upgrade.Config{Address: address(t)}
			if name == "serve by pipe" {
				testenv.NeedPipeRights(t)
				cfg.Transport = afunix.PipeTransport
			}
			cmd := elsewhere(t, child(name, "second", cfg.Address))
			manager := newServiceManager(t, cfg.Address+".notify")
			cfg.Command = func() *exec.Cmd {
				cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+os.Getenv("NOTIFY_SOCKET"))
				return cmd
			}
			first, addr := serving(t, cfg, "first")
			manager.expect(t, fmt.Sprint("READY=1\nMAINPID=", os.Getpid()))
			if err := first.Upgrade(within(t)); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			manager.expect(t, fmt.Sprintf("MAINPID=%d\nREADY=1", cmd.Process.Pid))
			manager.expect(t, "READY=1")
			expectGreeting(t, "tcp", addr, "second")
		})
	}
}

// Upgrade waits for a child, and ends it, in whatever PID namespace that is.
func TestUpgradeFailsInAPIDNamespaceBelow(t *testing.T) {
	cfg, failed := withFailures(t)
	var cmd *exec.Cmd
	starting := make(chan struct{}, 2)
	cfg.Command = func() *exec.Cmd {
		starting <- struct{}{}
		return cmd
	}
	first, addr := serving(t, cfg, "first")
	cmd = elsewhere(t, child("crash", cfg.Address))
	expectExitStatus(t, first.Upgrade(within(t)))
	<-starting
	failed.expect(t)
	cmd = elsewhere(t, child("hang", cfg.Address))
	ctx, cancel := context.WithCancel(within(t))
	done := make(chan error, 1)
	go func() { done <- first.Upgrade(ctx) }()
	<-starting // from here on it is started in any case
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if cmd.ProcessState == nil {
		t.Error("the child has not been waited for")
	}
	expectGreeting(t, "tcp", addr, "first")
}

// A successor that cannot be seen has no number, and the manager hears none.
func TestPIDNamespacesBesideEachOther(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	manager := newServiceManager(t, cfg.Address+".notify")
	addr := spawn(t, elsewhere(t, child("start", "serve", "first", cfg.Address)))
	manager.expect(t, "READY=1") // and not that it is process 2
	if at := spawn(t, elsewhere(t, child("start", "serve", "second", cfg.Address))); at != addr {
		t.Errorf("it serves at %s, not at %s", at, addr)
	}
	manager.expect(t, "READY=1")
	manager.expect(t, "READY=1")
	expectGreeting(t, "tcp", addr, "second")

	third, _ := serving(t, cfg, "third") // in the namespace above
	manager.expect(t, "READY=1")
	manager.expect(t, "READY=1") // although the manager may well be here: the predecessor does not know
	expectGreeting(t, "tcp", addr, "third")
	third.Close()
}

// A service manager in a container, whose first service says what such a manager has told it.
func underManager(args []string) error {
	os.Setenv("SYSTEMD_EXEC_PID", strconv.Itoa(os.Getpid()))
	fmt.Println(os.Getpid())
	return serveAs("first", upgrade.Config{Address: args[0], Failed: func(err error) { fmt.Println(err) }})
}

// To a manager in its own PID namespace a process tells its number; but that of one which cannot be
// seen nobody hears.
func TestServiceManagerInAPIDNamespace(t *testing.T) {
	at := address(t)
	manager := newServiceManager(t, at+".notify")
	cmd := elsewhere(t, child("start", "managed", at))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(out)
	lines.Scan()
	manager.expect(t, "READY=1\nMAINPID="+lines.Text())
	lines.Scan()
	addr := lines.Text()
	second, _ := serving(t, upgrade.Config{Address: at}, "second")
	defer second.Close()
	manager.expect(t, "READY=1")
	manager.expect(t, "READY=1")
	expectGreeting(t, "tcp", addr, "second")
	if lines.Scan(); !strings.Contains(lines.Text(), "a process of another PID namespace serves now") {
		t.Errorf("Failed is told: %q", lines.Text())
	}
}

// process1 serves as process 1, and tries to be replaced.
func process1(args []string) error {
	failures := make(chan error, 10)
	cfg := upgrade.Config{Address: args[0], Failed: func(err error) { failures <- err }}
	cfg.Command = func() *exec.Cmd { return child("serve", "second", args[0]) }
	u, err := upgrade.New(timeLimit(), cfg)
	if err != nil {
		return err
	}
	defer u.Close()
	if err := u.Ready(timeLimit()); err != nil {
		return err
	}
	if err := u.Upgrade(timeLimit()); !errors.Is(err, upgrade.ErrPID1) {
		return fmt.Errorf("Upgrade: %v", err)
	}
	said, cmd := new(strings.Builder), child("crash", args[0])
	cmd.Stderr = said
	if err := cmd.Run(); err == nil || !strings.Contains(said.String(), upgrade.ErrPID1.Error()) {
		return fmt.Errorf("a successor: %v: %s", err, said)
	}
	if err := <-failures; !errors.Is(err, upgrade.ErrPID1) {
		return fmt.Errorf("Failed is told: %v", err)
	}
	return nil
}

// With process 1, all others would end.
func TestProcess1HasNoSuccessorInItsPIDNamespace(t *testing.T) {
	said, cmd := new(strings.Builder), elsewhere(t, child("process 1", address(t)))
	cmd.Stderr = said
	if err := cmd.Run(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// But it may have one outside.
func TestProcess1HasASuccessorOutside(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	addr := spawn(t, elsewhere(t, child("serve", "first", cfg.Address)))
	serving(t, cfg, "second")
	expectGreeting(t, "tcp", addr, "second")
}
