package apitest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

func init() { children["replace stale"] = replaceStale }

// replaceStale binds a path over a stale file when it is told to, says what has come of that, and
// leaves when its input ends.
func replaceStale(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	switch s, err := bindOver(context.Background(), afunix.Transport(n), args[1], args[2]); {
	case err == nil:
		defer s.Close()
		fmt.Println("listens")
	case errors.Is(err, syscall.EADDRINUSE):
		fmt.Println("in use")
	default:
		fmt.Println(err)
	}
	io.Copy(io.Discard, in)
	return nil
}

// bindOver makes a socket at the path, over a stale file.
func bindOver(ctx context.Context, tr afunix.Transport, network, path string) (io.Closer, error) {
	lc := afunix.ListenConfig{Transport: tr, ReplaceStale: true}
	if network == "unixgram" {
		return lc.ListenPacket(ctx, network, path)
	}
	return lc.Listen(ctx, network, path)
}

// bindOverKilled is bindOver after processes that had the path have been killed. On Windows they may
// listen for a moment more: TerminateProcess does not wait. (Seen on Wine, once in twenty runs.)
func bindOverKilled(t *testing.T, tr afunix.Transport, network, path string) (s io.Closer, err error) {
	for limit := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		s, err = bindOver(t.Context(), tr, network, path)
		if runtime.GOOS != "windows" || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(limit) {
			return s, err
		}
	}
}

// A contender is a process that is about to bind a path.
type contender struct {
	cmd *exec.Cmd
	to  io.WriteCloser
	out *bufio.Reader
}

func newContender(t *testing.T, tr afunix.Transport, network, path string) *contender {
	t.Helper()
	c := &contender{cmd: child(t, "replace stale", strconv.Itoa(int(tr)), network, path)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.to, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if said := c.hear(t); said != "ready" {
		t.Fatalf("a contender says %q", said)
	}
	return c
}

func (c *contender) start() { io.WriteString(c.to, "\n") } // or hear fails

// hear returns the next line; "" if there is none.
func (c *contender) hear(t *testing.T) string {
	t.Helper()
	late := time.AfterFunc(patience, func() { c.cmd.Process.Kill() })
	defer late.Stop()
	line, _ := c.out.ReadString('\n')
	return line[:max(0, len(line)-1)]
}

func (c *contender) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// leaveStale leaves a socket file whose process has been killed.
func leaveStale(t *testing.T, tr afunix.Transport, network, path string) {
	t.Helper()
	c := newContender(t, tr, network, path)
	defer c.kill()
	c.start()
	if said := c.hear(t); said != "listens" {
		t.Fatal(said)
	}
}

// Of twenty that start at once one takes the place of the dead process.
func TestOneOfTwentyReplacesAStaleSocketFile(t *testing.T) {
	each(t, []string{"unix", "unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		leaveStale(t, tr, network, path)
		expectFile(t, path, true)
		if _, err := (&afunix.ListenConfig{Transport: tr}).Listen(t.Context(), "unix", path); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("without ReplaceStale: %v; want EADDRINUSE", err)
		}
		var all []*contender
		for range 20 {
			c := newContender(t, tr, network, path)
			defer c.kill()
			all = append(all, c)
		}
		for _, c := range all {
			c.start()
		}
		said := make(map[string]int)
		for _, c := range all {
			said[c.hear(t)]++
		}
		if said["listens"] != 1 || said["in use"] != 19 {
			t.Errorf("they say %v; want 1 that listens, and 19 in use", said)
		}
		if err := dialAttempt(t, tr, network, path); err != nil {
			t.Errorf("Dial: %v", err)
		}
		expectFile(t, path+".lock", false)
	})
}

// Processes that are killed while they replace a file keep nobody from doing so.
func TestKilledReplacersAreInNobodysWay(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		leaveStale(t, tr, network, path)
		for range 5 {
			var all []*contender
			for range 4 {
				all = append(all, newContender(t, tr, network, path))
			}
			for _, c := range all {
				c.start()
			}
			for _, c := range all {
				<-time.After(rand.N(2 * time.Millisecond)) // somewhere in what they do
				c.kill()
			}
			s, err := bindOverKilled(t, tr, network, path)
			if err != nil {
				t.Fatal(err)
			}
			if err := dialAttempt(t, tr, network, path); err != nil {
				t.Errorf("Dial: %v", err)
			}
			s.Close()
			leaveStale(t, tr, network, path)
		}
	})
}

// The socket of somebody who lives is not replaced, whatever its state, nor is a file that is none.
func TestReplaceStaleReplacesNothingElse(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		dir := testenv.TempDir(t)
		at := func(name string) string { return filepath.Join(dir, name) }
		listen(t, tr, network, at("listens"))
		crowded(t, tr, network, at("full"))
		d := afunix.Dialer{Transport: tr, LocalAddr: &net.UnixAddr{Name: at("client"), Net: network}}
		c, err := d.DialContext(t.Context(), network, at("listens"))
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		names := []string{"listens", "full", "client", "file", "empty file", "directory"}
		for _, other := range all {
			name := "of type " + other
			s, err := bindOver(t.Context(), tr, other, at(name))
			if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPROTONOSUPPORT) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			names = append(names, name)
		}
		if err := os.WriteFile(at("file"), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at("empty file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(at("directory"), 0o700); err != nil {
			t.Fatal(err)
		}
		leaveStale(t, tr, network, at("stale"))
		if os.Symlink("stale", at("link")) == nil {
			if _, err := os.Lstat(at("link")); err == nil { // Wine 8 makes a link that it does not find
				names = append(names, "link")
			}
		}
		for _, name := range names {
			before, err := os.Lstat(at(name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bindOver(t.Context(), tr, network, at(name)); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%s: %v; want EADDRINUSE", name, err)
			}
			if after, err := os.Lstat(at(name)); err != nil || !os.SameFile(before, after) {
				t.Errorf("%s is gone, or another one: %v", name, err)
			}
			expectFile(t, at(name)+".lock", false)
		}
	})
}

// Another transport's stale file is replaced, too: nobody has its socket.
func TestReplaceStaleOfTheOtherTransport(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		for _, other := range []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport} {
			a, b, err := other.Pair(network)
			if errors.Is(err, errors.ErrUnsupported) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			a.Close()
			b.Close()
			path := socketPath(t)
			l := listen(t, other, network, path)
			if _, err := bindOver(t.Context(), tr, network, path); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%v over %v that listens: %v; want EADDRINUSE", tr, other, err)
			}
			l.Close()
			leaveStale(t, other, network, path)
			s, err := bindOver(t.Context(), tr, network, path)
			if err != nil {
				t.Errorf("%v over a stale file of %v: %v", tr, other, err)
				continue
			}
			s.Close()
		}
	})
}

// A stale file that cannot be replaced says why.
func TestReplaceStaleIsHeldUp(t *testing.T) {
	each(t, streams, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		leaveStale(t, tr, network, path)
		if err := os.Mkdir(path+".lock", 0o700); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := bindOver(ctx, tr, network, path)
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%v; want EADDRINUSE, and why", err)
		}
		t.Log(err)
		expectFile(t, path, true)
	})
}

// A path that is longer than an address, where a socket can have one.
func TestReplaceStaleAtALongPath(t *testing.T) {
	each(t, []string{"unix", "unixgram"}, func(t *testing.T, tr afunix.Transport, network string) {
		path := filepath.Join(testenv.TempDir(t), strings.Repeat("d", 100), "s")
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := bindOver(t.Context(), tr, network, path)
		if errors.Is(err, syscall.EINVAL) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := bindOver(t.Context(), tr, network, path); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("in use: %v; want EADDRINUSE", err)
		}
		s.Close()
		os.Remove(path)
		leaveStale(t, tr, network, path)
		if s, err = bindOver(t.Context(), tr, network, path); err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := dialAttempt(t, tr, network, path); err != nil {
			t.Errorf("Dial: %v", err)
		}
	})
}
