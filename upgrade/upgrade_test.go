package upgrade_test

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/upgrade"
)

// local is where tests listen: wherever there is room.
const local = "127.0.0.1:0"

// serving starts a process's part that serves the word at a TCP address, which is returned.
func serving(t *testing.T, cfg upgrade.Config, word string) (u *upgrade.Upgrader, addr string) {
	t.Helper()
	u, addr = preparing(t, cfg, word)
	ready(t, u)
	return u, addr
}

// preparing is serving before Ready.
func preparing(t *testing.T, cfg upgrade.Config, word string) (u *upgrade.Upgrader, addr string) {
	t.Helper()
	u = start(t, cfg)
	l := listen(t, u, "echo", "tcp", local)
	greet(t, l, word)
	return u, l.Addr().String()
}

func expectGreeting(t *testing.T, network, addr, want string) {
	t.Helper()
	for range 3 {
		if got := greeting(t, network, addr); got != want {
			t.Fatalf("%s says %q, want %q", addr, got, want)
		}
	}
}

// failures is a Config.Failed whose errors can be waited for.
type failures chan error

func (f failures) expect(t *testing.T) error {
	t.Helper()
	select {
	case err := <-f:
		return err
	case <-time.After(patience):
		t.Fatal("no upgrade has failed")
		return nil
	}
}

func withFailures(t *testing.T) (upgrade.Config, failures) {
	f := make(failures, 10)
	return upgrade.Config{Address: address(t), Failed: func(err error) { f <- err }}, f
}

func TestSuccessorGoesOnWithAListener(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	former, addr := serving(t, cfg, "0")
	for _, word := range []string{"1", "2", "3"} {
		next, at := preparing(t, cfg, word)
		if at != addr {
			t.Fatalf("the successor listens at %s, not %s", at, addr)
		}
		expectGreeting(t, "tcp", addr, string(word[0]-1)) // the successor is not ready
		ready(t, next)
		expectDone(t, former)
		expectGreeting(t, "tcp", addr, word)
		if err := former.Close(); err != nil {
			t.Error(err)
		}
		former = next
	}
}

// Nothing is accepted before Ready, nor after a successor has taken over; a server that only waits
// to be told to stop sees no error.
func TestAcceptWaitsWhileAnotherProcessServes(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	first := start(t, cfg)
	l := listen(t, first, "echo", "tcp", local)
	accepted := make(chan error)
	go func() {
		for {
			c, err := l.Accept()
			if err == nil {
				c.Close()
			}
			accepted <- err
			if err != nil {
				return
			}
		}
	}()
	c, err := dial(t, "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	select {
	case err := <-accepted:
		t.Fatalf("before Ready Accept returned, with %v", err)
	default:
	}
	ready(t, first)
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	second, addr := serving(t, cfg, "second")
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "second")
	select {
	case err := <-accepted:
		t.Fatalf("after the upgrade Accept returned, with %v", err)
	default:
	}
	l.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close Accept returned %v", err)
	}
	second.Close()
}

func TestSuccessorThatLeavesChangesNothing(t *testing.T) {
	cfg, failed := withFailures(t)
	first, addr := serving(t, cfg, "first")
	second, _ := preparing(t, cfg, "second")
	second.Close()
	if err := failed.expect(t); !strings.Contains(err.Error(), "has left") {
		t.Errorf("the first is told: %v", err)
	}
	if err := second.Ready(within(t)); !errors.Is(err, upgrade.ErrNotReady) {
		t.Errorf("Ready after Close: %v", err)
	}
	expectGreeting(t, "tcp", addr, "first")
	serving(t, cfg, "third")
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "third")
}

func TestSuccessorThatIsLateChangesNothing(t *testing.T) {
	cfg, failed := withFailures(t)
	cfg.ReadyTimeout = 50 * time.Millisecond
	_, addr := serving(t, cfg, "first")
	second, _ := preparing(t, cfg, "second")
	if err := failed.expect(t); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the first is told: %v", err)
	}
	if err := second.Ready(within(t)); !errors.Is(err, upgrade.ErrRefused) || !strings.Contains(err.Error(), "not ready after 50ms") {
		t.Errorf("Ready: %v", err)
	}
	expectGreeting(t, "tcp", addr, "first")
}

func TestReadyGivesUpWithItsContext(t *testing.T) {
	cfg, failed := withFailures(t)
	_, addr := serving(t, cfg, "first")
	second, _ := preparing(t, cfg, "second")
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if err := second.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ready: %v", err)
	}
	failed.expect(t)
	expectGreeting(t, "tcp", addr, "first")
}

func TestStrangersMayNotTakeOver(t *testing.T) {
	cfg, failed := withFailures(t)
	stranger := errors.New("never seen him")
	cfg.Authorize = func(peer afunix.Credentials) error {
		if peer.PID != os.Getpid() || !peer.SameUser() {
			t.Errorf("asked about %+v", peer)
		}
		return stranger
	}
	_, addr := serving(t, cfg, "first")
	_, err := upgrade.New(within(t), upgrade.Config{Address: cfg.Address})
	if !errors.Is(err, upgrade.ErrRefused) || !strings.Contains(err.Error(), stranger.Error()) {
		t.Errorf("the stranger is told: %v", err)
	}
	if err := failed.expect(t); !errors.Is(err, stranger) {
		t.Errorf("the first is told: %v", err)
	}
	if _, err := upgrade.New(within(t), cfg); !errors.Is(err, stranger) {
		t.Errorf("from a stranger something was taken over: %v", err)
	}
	expectGreeting(t, "tcp", addr, "first")
}

func TestOneUpgradeAtATime(t *testing.T) {
	cfg, _ := withFailures(t)
	first, _ := serving(t, cfg, "first")
	second, addr := preparing(t, cfg, "second")
	if _, err := upgrade.New(within(t), cfg); !errors.Is(err, upgrade.ErrRefused) || !strings.Contains(err.Error(), upgrade.ErrBusy.Error()) {
		t.Errorf("a third: %v", err)
	}
	ready(t, second)
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "second")
}

func TestCloseCallsAnUpgradeOff(t *testing.T) {
	cfg, failed := withFailures(t)
	first, _ := serving(t, cfg, "first")
	second, _ := preparing(t, cfg, "second")
	first.Close()
	failed.expect(t)
	if err := second.Ready(within(t)); !errors.Is(err, upgrade.ErrRefused) {
		t.Errorf("Ready: %v", err)
	}
}

func TestAddressIsNotAnotherFile(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	if err := os.WriteFile(cfg.Address, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	u, _ := preparing(t, cfg, "first")
	if err := u.Ready(within(t)); err == nil {
		t.Error("it serves")
	}
	if text, err := os.ReadFile(cfg.Address); string(text) != "precious" {
		t.Errorf("the file says %q, %v", text, err)
	}
}

// What a successor does not ask for stays with its predecessor, until that closes it.
func TestSuccessorMayWantLess(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	first, _ := serving(t, cfg, "first")
	more := listen(t, first, "more", "tcp", local)
	greet(t, more, "more")
	expectGreeting(t, "tcp", more.Addr().String(), "more") // asked for after Ready, it serves at once
	serving(t, cfg, "second")
	expectDone(t, first)
	expectGreeting(t, "tcp", more.Addr().String(), "more")
}

// A listener that no other process can have is the end of an upgrade, and not of the service.
func TestSocketThatCannotBePassed(t *testing.T) {
	cfg, failed := withFailures(t)
	first, addr := serving(t, cfg, "first")
	hidden, err := net.Listen("tcp", local)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen = func(context.Context, string, string) (net.Listener, error) {
		return struct{ net.Listener }{hidden}, nil // which has no SyscallConn
	}
	second, _ := preparing(t, cfg, "second")
	l := listen(t, second, "hidden", "tcp", local)
	ready(t, second)
	expectDone(t, first)
	if _, err := upgrade.New(within(t), cfg); !errors.Is(err, upgrade.ErrRefused) || !strings.Contains(err.Error(), "hidden (tcp") {
		t.Errorf("the successor is told: %v", err)
	}
	if err := failed.expect(t); !errors.Is(err, afunix.ErrNotSendable) {
		t.Errorf("the predecessor is told: %v", err)
	}
	expectGreeting(t, "tcp", addr, "second")
	l.Close()
	serving(t, cfg, "third")
	expectDone(t, second)
}

// Names are bytes, as in the file system.
func TestNamesThatAreNotUTF8(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system's names are Unicode")
	}
	cfg := upgrade.Config{Address: address(t)}
	path := cfg.Address + "\xff"
	first := start(t, cfg)
	greet(t, listen(t, first, "web\xfe", "unix", path), "first")
	ready(t, first)
	second := start(t, cfg)
	greet(t, listen(t, second, "web\xfe", "unix", path), "second")
	ready(t, second)
	expectDone(t, first)
	expectGreeting(t, "unix", path, "second")
}

func TestTheSameListenerTwiceIsAnError(t *testing.T) {
	u, _ := preparing(t, upgrade.Config{Address: address(t)}, "first")
	if _, err := u.Listen(within(t), "echo", "tcp", local); err == nil {
		t.Error("the same twice")
	}
	other := listen(t, u, "another", "tcp", local)
	other.Close()
	listen(t, u, "another", "tcp", local)
}
