//go:build unix

package upgrade_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"afunix"
	"afunix/upgrade"
)

func init() { children["activated"] = activated }

func TestServiceManagerIsToldWhoServes(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	path := cfg.Address + ".notify"
	manager, err := afunix.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	defer manager.Close()
	manager.SetDeadline(time.Now().Add(patience))
	t.Setenv("NOTIFY_SOCKET", path)
	expect := func(want string) {
		t.Helper()
		buf := make([]byte, 1000)
		n, err := manager.Read(buf)
		if string(buf[:n]) != want || err != nil {
			t.Fatalf("the manager is told %q, %v; want %q", buf[:n], err, want)
		}
	}
	main := fmt.Sprint("MAINPID=", os.Getpid())
	serving(t, cfg, "first")
	expect("READY=1\n" + main)
	serving(t, cfg, "second")
	expect(main) // of the predecessor, from which alone systemd believes it
	expect("READY=1\n" + main)
}

func TestServiceManagerThatIsGone(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	_, addr := serving(t, cfg, "first")
	t.Setenv("NOTIFY_SOCKET", cfg.Address+".nowhere")
	second, _ := preparing(t, cfg, "second")
	if err := second.Ready(within(t)); err == nil {
		t.Error("it serves, and its manager does not know")
	}
	os.Unsetenv("NOTIFY_SOCKET")
	expectGreeting(t, "tcp", addr, "first")
}

// activated expects the sockets that systemd would pass, and hands them to nobody else.
func activated(args []string) error {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // which only this process knows
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
