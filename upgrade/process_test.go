package upgrade_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
	"afunix/upgrade"
)

func init() {
	children["serve"] = serve
	children["crash"] = func(args []string) error { return half(args, func() { os.Exit(3) }) }
	children["hang"] = func(args []string) error {
		return half(args, func() {
			fmt.Println("hanging")
			<-time.After(2 * patience)
		})
	}
	children["keep"] = func(args []string) error { return keep(args[0], afunix.DefaultTransport) }
	children["keep by pipe"] = func(args []string) error { return keep(args[0], afunix.PipeTransport) }
}

// serve is a process that serves the word until it is replaced.
func serve(args []string) error { return serveAs(args[0], upgrade.Config{Address: args[1]}) }

func serveAs(word string, cfg upgrade.Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	u, err := upgrade.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer u.Close()
	l, err := u.Listen(ctx, "echo", "tcp", local)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, word)
			c.Close()
		}
	}()
	if err := u.Ready(ctx); err != nil {
		return err
	}
	fmt.Println(l.Addr())
	select {
	case <-u.Done():
	case <-ctx.Done():
	}
	return nil
}

// half gets as far as everything but Ready.
func half(args []string, end func()) error {
	u, err := upgrade.New(context.Background(), upgrade.Config{Address: args[0]})
	if err != nil {
		return err
	}
	if _, err := u.Listen(context.Background(), "echo", "tcp", local); err != nil {
		return err
	}
	end()
	return nil
}

// spawn starts a child and returns its first line.
func spawn(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

func TestUpgradeStartsASuccessor(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	cmds := make(chan *exec.Cmd, 1)
	cfg.Command = func() *exec.Cmd {
		cmd := child("serve", "second", cfg.Address)
		cmds <- cmd
		return cmd
	}
	first, addr := serving(t, cfg, "first")
	if err := first.Upgrade(within(t)); err != nil {
		t.Fatal(err)
	}
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "second")
	if err := first.Upgrade(within(t)); !errors.Is(err, upgrade.ErrNotReady) {
		t.Errorf("once more: %v", err)
	}
	third, _ := serving(t, upgrade.Config{Address: cfg.Address}, "third") // and the child leaves
	expectGreeting(t, "tcp", addr, "third")
	third.Close()
	<-cmds
}

func TestUpgradeFailsWithItsCause(t *testing.T) {
	cfg, failed := withFailures(t)
	cfg.ReadyTimeout = patience
	var cmd *exec.Cmd
	cfg.Command = func() *exec.Cmd { return cmd }
	first, addr := serving(t, cfg, "first")

	t.Run("it cannot be started", func(t *testing.T) {
		cmd = exec.Command(cfg.Address + ".exe")
		if err := first.Upgrade(within(t)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
	t.Run("it ends at once", func(t *testing.T) {
		cmd = child("crash", cfg.Address+"2") // it finds nobody to take over from
		expectExitStatus(t, first.Upgrade(within(t)))
	})
	t.Run("it crashes on the way", func(t *testing.T) {
		cmd = child("crash", cfg.Address)
		expectExitStatus(t, first.Upgrade(within(t)))
		failed.expect(t)
	})
	t.Run("it hangs", func(t *testing.T) {
		cmd = child("hang", cfg.Address)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := first.Upgrade(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
	expectGreeting(t, "tcp", addr, "first")

	cmd = child("serve", "second", cfg.Address)
	if err := first.Upgrade(within(t)); err != nil {
		t.Fatal(err)
	}
	expectGreeting(t, "tcp", addr, "second")
	cmd.Process.Kill()
}

func expectExitStatus(t *testing.T, err error) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("%v; want exit status 3", err)
	}
}

// A predecessor that is killed while its successor gets ready leaves its sockets to that: the
// service goes on.
func TestPredecessorThatDiesIsReplaced(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	cmd := child("serve", "first", cfg.Address)
	addr := spawn(t, cmd)
	expectGreeting(t, "tcp", addr, "first")
	second, at := preparing(t, cfg, "second")
	if at != addr {
		t.Fatalf("the successor listens at %s, not %s", at, addr)
	}
	cmd.Process.Kill()
	cmd.Wait()
	c, err := dial(t, "tcp", addr) // waits for the process that accepts
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ready(t, second)
	c.SetDeadline(time.Now().Add(patience))
	if text, err := io.ReadAll(c); string(text) != "second" || err != nil {
		t.Errorf("it says %q, %v", text, err)
	}
	serving(t, cfg, "third")
	expectDone(t, second)
}

// Connections go to another process in the middle of a conversation, with what is known about them.
func TestLiveConnectionsGoToTheSuccessor(t *testing.T) {
	testenv.NeedPipeRights(t)
	for _, kind := range []struct {
		name, network string
		transport     afunix.Transport
	}{
		{name: "tcp", network: "tcp"},
		{"unix over the kernel", "unix", afunix.KernelTransport},
		{"unix over pipes", "unix", afunix.PipeTransport},
	} {
		t.Run(kind.name, func(t *testing.T) {
			cfg := upgrade.Config{Address: address(t), Transport: kind.transport}
			at := local
			connect := dial
			if kind.network == "unix" {
				at = cfg.Address + ".chat"
				connect = func(t *testing.T, network, address string) (net.Conn, error) {
					d := afunix.Dialer{Transport: kind.transport}
					return d.DialContext(within(t), network, address)
				}
				cfg.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
					lc := afunix.ListenConfig{Transport: kind.transport}
					return lc.Listen(ctx, network, address)
				}
			}
			if a, b, err := kind.transport.Pair("unix"); errors.Is(err, errors.ErrUnsupported) {
				t.Skip("not on this system")
			} else if err == nil {
				a.Close()
				b.Close()
			}
			first := start(t, cfg)
			l := listen(t, first, "count", kind.network, at)
			ready(t, first)
			keeper := child("keep", cfg.Address)
			if kind.transport == afunix.PipeTransport {
				keeper = child("keep by pipe", cfg.Address)
			}
			testLiveConnections(t, first, l, keeper, connect)
		})
	}
}

func testLiveConnections(t *testing.T, first *upgrade.Upgrader, l net.Listener, keeper *exec.Cmd,
	connect func(*testing.T, string, string) (net.Conn, error)) {
	var clients []net.Conn
	var servers []net.Conn
	for i := range 3 {
		c, err := connect(t, l.Addr().Network(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fmt.Fprintf(c, "hello %d\n", i)
		line, err := bufio.NewReader(io.LimitReader(s, int64(len("hello 0\n")))).ReadString('\n')
		if err != nil {
			t.Fatal(line, err)
		}
		fmt.Fprintf(c, "unread %d\n", i)
		clients, servers = append(clients, c), append(servers, s)
	}
	if err := first.SendConn(within(t), servers[0], nil); err == nil {
		t.Error("a connection was sent to nobody")
	}
	spawn(t, keeper)
	expectDone(t, first)
	for i, s := range servers {
		if err := first.SendConn(within(t), s, fmt.Appendf(nil, "client %d", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after SendConn: %v", err)
		}
	}
	first.Close()
	for i, c := range clients {
		c.SetDeadline(time.Now().Add(patience))
		want := fmt.Sprintf("client %d: unread %d\n", i, i)
		if line, err := bufio.NewReader(c).ReadString('\n'); line != want || err != nil {
			t.Errorf("client %d hears %q, %v; want %q", i, line, err, want)
		}
	}
	if err := keeper.Wait(); err != nil {
		t.Error(err)
	}
}

// keep takes over live connections, answers one line on each, and ends when there are no more.
func keep(at string, transport afunix.Transport) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	u, err := upgrade.New(ctx, upgrade.Config{Address: at, Transport: transport})
	if err != nil {
		return err
	}
	defer u.Close()
	if err := u.Ready(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		c, state, err := u.ReceiveConn(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		c.SetDeadline(time.Now().Add(patience))
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c, "%s: %s", state, line); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
}

func TestReceiveConnOfAFirstProcess(t *testing.T) {
	u, _ := serving(t, upgrade.Config{Address: address(t)}, "first")
	if _, _, err := u.ReceiveConn(within(t)); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
}
