package upgrade_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"afunix/upgrade"
)

func init() {
	children["wait"] = func(args []string) error {
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return err
		}
		return serve(args)
	}
}

// An upgrade under way, by a child that does nothing until it is told to.
type pending struct {
	child   io.WriteCloser
	outcome chan error
}

func (p pending) letGo(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(p.child, "go on\n"); err != nil {
		t.Fatal(err)
	}
}

func (p pending) expect(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.outcome:
		return err
	case <-time.After(patience):
		t.Fatal("Upgrade waits for ever")
		return nil
	}
}

// pendingUpgrade makes a process that serves, and starts to upgrade it.
func pendingUpgrade(t *testing.T, cfg upgrade.Config) (u *upgrade.Upgrader, addr string, p pending) {
	t.Helper()
	started := make(chan struct{})
	p.outcome = make(chan error, 1)
	cfg.Command = func() *exec.Cmd {
		defer close(started)
		cmd := child("wait", "child", cfg.Address)
		var err error
		if p.child, err = cmd.StdinPipe(); err != nil {
			t.Error(err)
		}
		return cmd
	}
	u, addr = serving(t, cfg, "first")
	go func() { p.outcome <- u.Upgrade(context.Background()) }()
	select {
	case <-started:
	case <-time.After(patience):
		t.Fatal("no child is started")
	}
	t.Cleanup(func() { p.child.Close() })
	return u, addr, p
}

// While a process waits for its own child others may try to take over, and fail. That says nothing
// about the child.
func TestUpgradeHearsNothingOfTheFailuresOfOthers(t *testing.T) {
	cfg, failed := withFailures(t)
	first, addr, p := pendingUpgrade(t, cfg)
	for range 3 {
		other, _ := preparing(t, cfg, "another")
		other.Close()
		failed.expect(t)
	}
	select {
	case err := <-p.outcome:
		t.Fatalf("Upgrade: %v", err)
	default:
	}
	p.letGo(t)
	if err := p.expect(t); err != nil {
		t.Fatal(err)
	}
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "child")
	serving(t, upgrade.Config{Address: cfg.Address}, "last") // and the child leaves
}

// Somebody else's success is an upgrade, too.
func TestUpgradeBySomebodyElse(t *testing.T) {
	cfg, _ := withFailures(t)
	first, addr, p := pendingUpgrade(t, cfg)
	serving(t, cfg, "another")
	if err := p.expect(t); err != nil {
		t.Error(err)
	}
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "another")
}

// A child that is turned away takes the reason with it; Upgrade has it, too.
func TestUpgradeSaysWhyTheChildWasTurnedAway(t *testing.T) {
	cfg, failed := withFailures(t)
	_, addr, p := pendingUpgrade(t, cfg)
	other, _ := preparing(t, cfg, "another")
	p.letGo(t)
	err := p.expect(t)
	var exit *exec.ExitError
	if !errors.Is(err, upgrade.ErrBusy) || !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("Upgrade: %v; want ErrBusy, and exit status 1", err)
	}
	if err := failed.expect(t); !errors.Is(err, upgrade.ErrBusy) {
		t.Errorf("Failed: %v", err)
	}
	expectGreeting(t, "tcp", addr, "first")
	ready(t, other) // which was not disturbed
	expectGreeting(t, "tcp", addr, "another")
}

// A process that ends while its child gets ready takes that along.
func TestCloseEndsUpgrade(t *testing.T) {
	cfg, _ := withFailures(t)
	first, _, p := pendingUpgrade(t, cfg)
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := p.expect(t); err == nil || !strings.Contains(err.Error(), "called off") {
		t.Errorf("Upgrade: %v", err)
	}
}
