//go:build unix

package upgrade_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"afunix/upgrade"
)

func init() {
	children["activated"] = activated
	children["activated and replaced"] = activatedAndReplaced
}

// pretendActivation does what only the service manager can, which knows this process's number
// before it starts.
func pretendActivation() { os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) }

// activated expects the sockets that systemd would pass, and hands them to nobody else.
func activated(args []string) error {
	pretendActivation()
	u, err := upgrade.New(context.Background(), upgrade.Config{Address: args[0]})
	if err != nil {
		return err
	}
	defer u.Close()
	for _, v := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		if _, ok := os.LookupEnv(v); ok {
			return fmt.Errorf("%s is still there", v)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l, err := u.Listen(ctx, "web", "tcp", "127.0.0.1:1") // where it could not listen itself
	if err != nil {
		return err
	}
	p, err := u.ListenPacket(ctx, "log", "unixgram", "/nonexistent/log")
	if err != nil {
		return err
	}
	if _, err := u.Listen(ctx, "web", "tcp", "/"); err == nil {
		return fmt.Errorf("the same socket twice")
	}
	if err := u.Ready(ctx); err != nil {
		return err
	}
	buf := make([]byte, 100)
	p.SetDeadline(time.Now().Add(patience))
	n, _, err := p.ReadFrom(buf)
	if err != nil {
		return err
	}
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write(buf[:n])
	return err
}

func TestSocketActivation(t *testing.T) {
	at := address(t)
	l, err := net.Listen("tcp", local)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path := at + ".log"
	p, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	defer p.Close()
	lf, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer lf.Close()
	pf, err := p.File()
	if err != nil {
		t.Fatal(err)
	}
	defer pf.Close()
	cmd := child("activated", at)
	cmd.ExtraFiles = []*os.File{pf, lf, lf}
	cmd.Env = append(cmd.Env, "LISTEN_FDS=3", "LISTEN_FDNAMES=log:web:other")
	said := new(bytes.Buffer)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.Close()
	p.Close()
	logger, err := dial(t, "unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer logger.Close()
	if _, err := logger.Write([]byte("logged")); err != nil {
		t.Fatal(err)
	}
	c, err := dial(t, "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if text, err := io.ReadAll(c); string(text) != "logged" || err != nil {
		t.Errorf("it says %q, %v", text, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// activatedAndReplaced has a successor in its own process. Both close the service manager's
// listener.
func activatedAndReplaced(args []string) error {
	pretendActivation()
	for range 2 {
		u, err := upgrade.New(timeLimit(), upgrade.Config{Address: args[0]})
		if err != nil {
			return err
		}
		defer u.Close()
		l, err := u.Listen(timeLimit(), "web", "unix", args[0]+".web")
		if err != nil {
			return err
		}
		defer l.Close()
		if err := u.Ready(timeLimit()); err != nil {
			return err
		}
	}
	return nil
}

// The socket file of a listener that the service manager has passed is the manager's: it listens
// on, for the next start of the service.
func TestSocketActivationKeepsTheSocketFile(t *testing.T) {
	at := address(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at + ".web", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := child("activated and replaced", at)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	c, err := dial(t, "unix", at+".web")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// An onWrite is called for whatever is written.
type onWrite func()

func (f onWrite) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// Under a service manager a successor is not this process's child. What becomes of it, Upgrade says
// all the same.
func TestUpgradeUnderAServiceManager(t *testing.T) {
	cfg, failed := withFailures(t)
	manager := newServiceManager(t, cfg.Address+".notify")
	var cmd *exec.Cmd
	cfg.Command = func() *exec.Cmd { return cmd }
	first, addr := serving(t, cfg, "first")
	manager.expect(t, fmt.Sprint("READY=1\nMAINPID=", os.Getpid()))

	cmd = child("crash", cfg.Address)
	if err := first.Upgrade(within(t)); err == nil || !strings.Contains(err.Error(), "has left") {
		t.Errorf("it crashes on the way: %v", err)
	}
	failed.expect(t)
	cmd = child("crash", cfg.Address+"2")
	if err := first.Upgrade(within(t)); err == nil || !strings.Contains(err.Error(), "has ended before it was ready") {
		t.Errorf("it ends at once: %v", err)
	}
	cmd = child("hang", cfg.Address)
	ctx, cancel := context.WithCancel(within(t))
	cmd.Stdout = onWrite(cancel) // not before it has got there: what has not begun has not failed
	if err := first.Upgrade(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it hangs: %v", err)
	}
	failed.expect(t)
	expectGreeting(t, "tcp", addr, "first")

	cmd = child("serve", "second", cfg.Address)
	if err := first.Upgrade(within(t)); err != nil {
		t.Fatal(err)
	}
	main := fmt.Sprint("MAINPID=", cmd.Process.Pid)
	manager.expect(t, main+"\nREADY=1")
	manager.expect(t, "READY=1\n"+main)
	expectGreeting(t, "tcp", addr, "second")
	cmd.Process.Kill()
}
