package upgrade_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
	"afunix/upgrade"
)

func init() { children["wander"] = wander }

// wander serves at a relative address and path, and goes to another directory. It says what it is
// told to be wrong.
func wander(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	u, err := upgrade.New(ctx, upgrade.Config{Address: "upgrade.sock", Failed: func(err error) { fmt.Println(err) }})
	if err != nil {
		return err
	}
	defer u.Close()
	l, err := u.Listen(ctx, "web", "unix", "web.sock")
	if err != nil {
		return err
	}
	defer l.Close()
	if err := u.Ready(ctx); err != nil {
		return err
	}
	if err := os.Chdir(args[0]); err != nil {
		return err
	}
	fmt.Println("ready")
	select {
	case <-u.Done():
	case <-ctx.Done():
	}
	return nil
}

// A relative address is where it was when the process started; so is a listener, also for a
// successor that has started elsewhere.
func TestTheDirectoryMayBeChanged(t *testing.T) {
	at := address(t)
	cmd := child("wander", testenv.TempDir(t))
	cmd.Dir = filepath.Dir(at)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); strings.TrimSpace(line) != "ready" {
		t.Fatal(line, err)
	}
	cfg := upgrade.Config{Address: at, Failed: func(err error) { t.Error(err) }}
	u := start(t, cfg)
	l := listen(t, u, "web", "unix", "web.sock")
	ready(t, u)
	if said, err := io.ReadAll(lines); len(said) > 0 || err != nil {
		t.Errorf("it says %s, %v", said, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	greet(t, l, "here")
	expectGreeting(t, "unix", filepath.Join(filepath.Dir(at), "web.sock"), "here")
}

// eachTransport runs f with the config of a server whose sockets are of one transport.
func eachTransport(t *testing.T, f func(t *testing.T, cfg upgrade.Config, failed failures)) {
	for _, transport := range []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport} {
		t.Run(transport.String(), func(t *testing.T) {
			if transport == afunix.PipeTransport {
				testenv.NeedPipeRights(t)
			}
			a, b, err := transport.Pair("unix")
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("not on this system")
			}
			if err != nil {
				t.Fatal(err)
			}
			a.Close()
			b.Close()
			cfg, failed := withFailures(t)
			cfg.Transport = transport
			cfg.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
				lc := afunix.ListenConfig{Transport: transport}
				return lc.Listen(ctx, network, address)
			}
			cfg.ListenPacket = func(ctx context.Context, network, address string) (net.PacketConn, error) {
				lc := afunix.ListenConfig{Transport: transport}
				return lc.ListenPacket(ctx, network, address)
			}
			f(t, cfg, failed)
		})
	}
}

// call connects over the transport of cfg.
func call(t *testing.T, cfg upgrade.Config, path string) *afunix.Conn {
	t.Helper()
	d := afunix.Dialer{Transport: cfg.Transport}
	c, err := d.DialContext(within(t), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func expectWord(t *testing.T, c net.Conn, want string) {
	t.Helper()
	if text, err := io.ReadAll(c); string(text) != want || err != nil {
		t.Errorf("it says %q, %v; want %q", text, err, want)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// replace gives a file the name of another, in whose place it comes. On Windows that fails while
// somebody has the other one open.
func replace(t *testing.T, path, other string) {
	t.Helper()
	limit := within(t)
	err := os.Rename(path, other)
	for err != nil && limit.Err() == nil {
		err = os.Rename(path, other)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// expectUnreachable expects that Failed is told of the path, and returns the error.
func (f failures) expectUnreachable(t *testing.T, path string) error {
	t.Helper()
	err := f.expect(t)
	if !errors.Is(err, upgrade.ErrUnreachable) || !strings.Contains(err.Error(), path) {
		t.Fatalf("Failed is told: %v", err)
	}
	return err
}

// expectSilence expects that Failed has been told nothing else.
func (f failures) expectSilence(t *testing.T) {
	t.Helper()
	select {
	case err := <-f:
		t.Errorf("Failed is told: %v", err)
	default:
	}
}

// webServer is a process's part that says the word at the path.
func webServer(t *testing.T, cfg upgrade.Config, path, word string) (*upgrade.Upgrader, *upgrade.Listener) {
	t.Helper()
	u := start(t, cfg)
	l := listen(t, u, "web", "unix", path)
	greet(t, l, word)
	return u, l
}

// deadSocket leaves a socket file at the path at which nobody listens, in the place of what is
// there: between a removal and a Listen another could come.
func deadSocket(t *testing.T, cfg upgrade.Config, path string) {
	t.Helper()
	lc := afunix.ListenConfig{Transport: cfg.Transport}
	l, err := lc.Listen(within(t), "unix", path+".dead")
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	replace(t, path+".dead", path)
}

// The socket file of a listener is removed, or replaced by that of a process which is dead. The
// running process says so, its successor makes the listener anew, and nobody who came before is
// lost.
func TestListenerWhoseFileIsGone(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, upgrade.Config, string){
		"removed":  func(t *testing.T, _ upgrade.Config, path string) { remove(t, path) },
		"replaced": func(t *testing.T, cfg upgrade.Config, path string) { remove(t, path); deadSocket(t, cfg, path) },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, cfg upgrade.Config, failed failures) {
				path := filepath.Join(testenv.TempDir(t), "web.sock")
				first := start(t, cfg)
				l := listen(t, first, "web", "unix", path)
				ready(t, first)
				early := call(t, cfg, path)
				spoil(t, cfg, path)
				failed.expectUnreachable(t, path)

				second, _ := webServer(t, cfg, path, "second")
				if err := failed.expectUnreachable(t, path); !strings.Contains(err.Error(), "made anew") {
					t.Errorf("the successor says: %v", err)
				}
				ready(t, second)
				expectDone(t, first)
				expectWord(t, call(t, cfg, path), "second")
				greet(t, l, "first")
				expectWord(t, early, "first")
				l.Close()
				first.Close()
				expectWord(t, call(t, cfg, path), "second")

				third, l3 := webServer(t, cfg, path, "third") // as usual
				ready(t, third)
				expectDone(t, second)
				expectWord(t, call(t, cfg, path), "third")
				l3.Close()
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the socket file: %v", err)
				}
				failed.expectSilence(t)
			})
		})
	}
}

// What is wrong with a socket is said once, until it is right.
func TestUnreachableIsSaidOnce(t *testing.T) {
	cfg, failed := withFailures(t)
	path := filepath.Join(testenv.TempDir(t), "web.sock")
	u, _ := webServer(t, cfg, path, "first")
	ready(t, u)
	for range 2 {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		failed.expectUnreachable(t, path)
		for range 3 { // it has looked again each time
			remove(t, cfg.Address)
			failed.expectUnreachable(t, cfg.Address)
		}
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
		for range 2 { // once it looks at the address before it does at the socket
			remove(t, cfg.Address)
			failed.expectUnreachable(t, cfg.Address)
		}
	}
	expectGreeting(t, "unix", path, "first")
}

// A path that another process has by now is that one's.
func TestListenerWhosePathIsSomebodyElses(t *testing.T) {
	eachTransport(t, func(t *testing.T, cfg upgrade.Config, failed failures) {
		path := filepath.Join(testenv.TempDir(t), "web.sock")
		first, l := webServer(t, cfg, path, "first")
		ready(t, first)
		remove(t, path)
		other, err := cfg.Listen(within(t), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		greet(t, other, "other")
		failed.expectUnreachable(t, path)

		second := start(t, cfg)
		if _, err := second.Listen(within(t), "web", "unix", path); !errors.Is(err, upgrade.ErrUnreachable) || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Listen: %v", err)
		}
		expectWord(t, call(t, cfg, path), "other")
		other.Close() // upon which the path is free
		greet(t, listen(t, second, "web", "unix", path), "second")
		failed.expectUnreachable(t, path)
		ready(t, second)
		l.Close()
		expectWord(t, call(t, cfg, path), "second")
	})
}

// A successor that has made a listener anew and fails is no loss to the next one.
func TestSuccessorThatFailsWithAListenerOfItsOwn(t *testing.T) {
	eachTransport(t, func(t *testing.T, cfg upgrade.Config, failed failures) {
		path := filepath.Join(testenv.TempDir(t), "web.sock")
		first, l := webServer(t, cfg, path, "first")
		ready(t, first)
		early := call(t, cfg, path)
		remove(t, path)
		failed.expectUnreachable(t, path)
		second, l2 := webServer(t, cfg, path, "second")
		failed.expectUnreachable(t, path)
		second.Close()
		l2.Close()
		for err := range failed {
			if !errors.Is(err, upgrade.ErrUnreachable) {
				break // that the upgrade has failed
			}
		}
		expectWord(t, early, "first")
		third, _ := webServer(t, cfg, path, "third")
		failed.expectUnreachable(t, path)
		ready(t, third)
		l.Close()
		expectWord(t, call(t, cfg, path), "third")
	})
}

func TestDatagramSocketWhoseFileIsGone(t *testing.T) {
	eachTransport(t, func(t *testing.T, cfg upgrade.Config, failed failures) {
		path := filepath.Join(testenv.TempDir(t), "log.sock")
		first, c1 := packets(t, cfg, "unixgram", path)
		ready(t, first)
		remove(t, path)
		failed.expectUnreachable(t, path)
		second, c2 := packets(t, cfg, "unixgram", path)
		failed.expectUnreachable(t, path)
		ready(t, second)
		expectDone(t, first)
		c1.Close()
		d := afunix.Dialer{Transport: cfg.Transport}
		c, err := d.DialContext(within(t), "unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("logged")); err != nil {
			t.Fatal(err)
		}
		expectPacket(t, c2, "logged")
		failed.expectSilence(t)
	})
}

// A listener of package net removes whatever its path leads to: it is told not to.
func TestCloseRemovesNobodyElsesFile(t *testing.T) {
	cfg, failed := withFailures(t)
	cfg.Listen = new(net.ListenConfig).Listen
	path := filepath.Join(testenv.TempDir(t), "web.sock")
	probe, err := net.Listen("unix", path)
	if err != nil {
		t.Skip("package net has no such sockets here: ", err)
	}
	probe.Close()
	first, l := webServer(t, cfg, path, "first")
	ready(t, first)
	remove(t, path)
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	failed.expectUnreachable(t, path)
	l.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// A program that closes its listener removes the file, which is nothing to be told of.
func TestClosedListenersAreNotMissed(t *testing.T) {
	eachTransport(t, func(t *testing.T, cfg upgrade.Config, failed failures) {
		path := filepath.Join(testenv.TempDir(t), "web.sock")
		u := start(t, cfg)
		ready(t, u)
		for range 50 {
			l, err := u.Listen(within(t), "web", "unix", path)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
		}
		failed.expectSilence(t)
	})
}

// The file at the address is removed, or replaced by that of a process which is dead. It is
// published again, and said.
func TestAddressWhoseFileIsGone(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, upgrade.Config){
		"removed":  func(t *testing.T, cfg upgrade.Config) { remove(t, cfg.Address) },
		"replaced": func(t *testing.T, cfg upgrade.Config) { deadSocket(t, cfg, cfg.Address) },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, cfg upgrade.Config, failed failures) {
				first, addr := preparingTCP(t, cfg, "first")
				ready(t, first)
				for range 3 {
					spoil(t, cfg)
					if err := failed.expectUnreachable(t, cfg.Address); !strings.Contains(err.Error(), "published again") {
						t.Errorf("Failed is told: %v", err)
					}
				}
				second, _ := preparingTCP(t, cfg, "second") // started by hand
				ready(t, second)
				expectDone(t, first)
				expectGreeting(t, "tcp", addr, "second")
				failed.expectSilence(t)
			})
		})
	}
}

// preparingTCP is preparing for a config whose Listen is for AF_UNIX.
func preparingTCP(t *testing.T, cfg upgrade.Config, word string) (u *upgrade.Upgrader, addr string) {
	t.Helper()
	cfg.Listen = nil
	return preparing(t, cfg, word)
}

// Upgrade does not wait for somebody to notice.
func TestUpgradeWhenTheAddressIsGone(t *testing.T) {
	upgrade.WatchSeldom(t)
	cfg, failed := withFailures(t)
	cfg.Command = func() *exec.Cmd { return child("serve", "child", cfg.Address) }
	first, addr := serving(t, cfg, "first")
	remove(t, cfg.Address)
	if err := first.Upgrade(within(t)); err != nil {
		t.Fatal(err)
	}
	failed.expectUnreachable(t, cfg.Address)
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "child")
	serving(t, upgrade.Config{Address: cfg.Address}, "last") // and the child leaves
}

// An address that is another process's by now stays that, and Upgrade starts nobody who would call
// there.
func TestAddressThatIsSomebodyElses(t *testing.T) {
	cfg, failed := withFailures(t)
	cfg.Command = func() *exec.Cmd {
		t.Error("a successor is started")
		return child("crash", cfg.Address)
	}
	first, addr := serving(t, cfg, "first")
	remove(t, cfg.Address)
	failed.expectUnreachable(t, cfg.Address)
	remove(t, cfg.Address)
	if err := os.WriteFile(cfg.Address+".new", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	replace(t, cfg.Address+".new", cfg.Address) // what has been published again by now
	for {
		err := failed.expectUnreachable(t, cfg.Address)
		if errors.Is(err, syscall.ENOTSOCK) {
			break
		}
	}
	if err := first.Upgrade(within(t)); !errors.Is(err, syscall.ENOTSOCK) {
		t.Errorf("Upgrade: %v", err)
	}
	remove(t, cfg.Address)
	other := listenElsewhere(t, cfg.Address)
	if err := first.Upgrade(within(t)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Upgrade: %v", err)
	}
	greet(t, other, "other")
	expectGreeting(t, "unix", cfg.Address, "other")
	expectGreeting(t, "tcp", addr, "first")
}

// listenElsewhere is a server that puts itself at the path in one step.
func listenElsewhere(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := afunix.Listen("unix", path+".other")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.SetUnlinkOnClose(false)
	for {
		err := os.Rename(path+".other", path)
		if err == nil {
			return l
		}
		if within(t).Err() != nil {
			t.Fatal(err)
		}
	}
}
