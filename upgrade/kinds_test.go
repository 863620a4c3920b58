package upgrade_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
	"afunix/upgrade"
)

// dial connects to an address of any network.
func dial(t *testing.T, network, address string) (net.Conn, error) {
	if network == "unix" || network == "unixpacket" || network == "unixgram" {
		return new(afunix.Dialer).DialContext(within(t), network, address)
	}
	return new(net.Dialer).DialContext(within(t), network, address)
}

func TestUnixListenersAndTheirFiles(t *testing.T) {
	unixListenersAndTheirFiles(t, func() string { return testenv.TempDir(t) })
}

// A path may be longer than an address, where there is a way to it.
func TestUnixListenersWithLongPaths(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		t.Skip("there is no way to a long path on this system")
	}
	unixListenersAndTheirFiles(t, func() string {
		dir := filepath.Join(testenv.TempDir(t), strings.Repeat("long", 50))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	})
}

func unixListenersAndTheirFiles(t *testing.T, directory func() string) {
	for _, network := range []string{"unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			if network == "unixpacket" && runtime.GOOS == "darwin" {
				t.Skip("no such sockets on this system")
			}
			cfg := upgrade.Config{Address: address(t)}
			path := filepath.Join(directory(), "web.sock")
			first := start(t, cfg)
			l1 := listen(t, first, "web", network, path)
			greet(t, l1, "first")
			ready(t, first)
			expectGreeting(t, network, path, "first")

			waiting, err := dial(t, network, path) // accepted by the process that is next
			if err != nil {
				t.Fatal(err)
			}
			defer waiting.Close()
			second := start(t, cfg)
			l2 := listen(t, second, "web", network, path)
			if l2.Addr().String() != path || l2.Addr().Network() != network {
				t.Errorf("it is at %v", l2.Addr())
			}
			greet(t, l2, "second")
			ready(t, second)
			expectDone(t, first)
			l1.Close()
			first.Close()
			expectGreeting(t, network, path, "second")
			waiting.SetDeadline(time.Now().Add(patience))
			if text, err := io.ReadAll(waiting); len(text) == 0 || err != nil {
				t.Errorf("one who waited hears %q, %v", text, err)
			}
			l2.Close()
			testenv.NeedSocketFile(t)
			if _, err := os.Lstat(path); !os.IsNotExist(err) {
				t.Errorf("the socket file: %v", err)
			}
		})
	}
}

// A process that was killed leaves its socket files, in the way of nobody.
func TestStaleSocketFiles(t *testing.T) {
	cfg := upgrade.Config{Address: address(t)}
	dir := filepath.Dir(cfg.Address)
	web, log := filepath.Join(dir, "web"), filepath.Join(dir, "log")
	for path, network := range map[string]string{cfg.Address: "unix", web: "unix"} {
		l, err := afunix.Listen(network, path)
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	c, err := afunix.ListenPacket("unixgram", log)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	t.Cleanup(func() { os.Remove(log) })

	u := start(t, cfg)
	greet(t, listen(t, u, "web", "unix", web), "first")
	p, err := u.ListenPacket(within(t), "log", "unixgram", log)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ready(t, u)
	expectGreeting(t, "unix", web, "first")
	if _, err := u.Listen(within(t), "again", "unix", web); err == nil {
		t.Error("a socket that is alive was removed")
	}
	expectGreeting(t, "unix", web, "first")
}

func TestDatagramsGoToTheSuccessor(t *testing.T) {
	for network, at := range map[string]string{"udp": local, "unixgram": filepath.Join(testenv.TempDir(t), "log")} {
		t.Run(network, func(t *testing.T) {
			cfg := upgrade.Config{Address: address(t)}
			first, c1 := packets(t, cfg, network, at)
			ready(t, first)
			if network == "unixgram" {
				t.Cleanup(func() { os.Remove(at) })
			}
			client, err := dial(t, network, c1.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			say := func(word string) {
				t.Helper()
				if _, err := client.Write([]byte(word)); err != nil {
					t.Fatal(err)
				}
			}
			say("one")
			expectPacket(t, c1, "one")

			second, c2 := packets(t, cfg, network, at)
			if c2.LocalAddr().String() != c1.LocalAddr().String() {
				t.Errorf("the successor is at %v", c2.LocalAddr())
			}
			waiting := make(chan error, 1)
			go func() {
				_, _, err := c1.ReadFrom(make([]byte, 10))
				waiting <- err
			}()
			c2.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if _, _, err := c2.ReadFrom(make([]byte, 10)); !isTimeout(err) {
				t.Errorf("before Ready: %v", err)
			}
			ready(t, second)
			expectDone(t, first)
			say("two")
			expectPacket(t, c2, "two")
			c1.Close()
			if err := <-waiting; err == nil {
				t.Error("the first process received something afterwards")
			}
			say("three")
			expectPacket(t, c2, "three")
		})
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

func packets(t *testing.T, cfg upgrade.Config, network, at string) (*upgrade.Upgrader, *upgrade.PacketConn) {
	t.Helper()
	u := start(t, cfg)
	c, err := u.ListenPacket(within(t), "packets", network, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return u, c
}

func expectPacket(t *testing.T, c *upgrade.PacketConn, want string) {
	t.Helper()
	buf := make([]byte, 100)
	c.SetReadDeadline(time.Now().Add(patience))
	n, _, err := c.ReadFrom(buf)
	if string(buf[:n]) != want || err != nil {
		t.Fatalf("received %q, %v; want %q", buf[:n], err, want)
	}
	c.SetReadDeadline(time.Time{})
}

// overPipes is a configuration with listeners of the pipe transport.
func overPipes(t *testing.T) upgrade.Config {
	t.Helper()
	a, b, err := afunix.PipeTransport.Pair("unix")
	if err != nil {
		t.Skip("not on this system")
	}
	a.Close()
	b.Close()
	testenv.NeedPipeRights(t)
	return upgrade.Config{
		Address:   address(t),
		Transport: afunix.PipeTransport,
		Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
			lc := afunix.ListenConfig{Transport: afunix.PipeTransport}
			return lc.Listen(ctx, network, address)
		},
	}
}

// The pipe transport moves its listeners, instead of sharing them.
func TestListenersOfThePipeTransport(t *testing.T) {
	cfg := overPipes(t)
	path := filepath.Join(testenv.TempDir(t), "web.sock")
	say := func(want string) {
		t.Helper()
		d := afunix.Dialer{Transport: afunix.PipeTransport}
		c, err := d.DialContext(within(t), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		if text, err := io.ReadAll(c); string(text) != want || err != nil {
			t.Fatalf("it says %q, %v; want %q", text, err, want)
		}
	}
	var former *upgrade.Upgrader
	for _, word := range []string{"0", "1", "2"} {
		u := start(t, cfg)
		l := listen(t, u, "web", "unix", path)
		greet(t, l, word)
		if former != nil {
			say(string(word[0] - 1))
		}
		ready(t, u)
		say(word)
		if former != nil {
			expectDone(t, former)
			former.Close()
		}
		former = u
	}
}
