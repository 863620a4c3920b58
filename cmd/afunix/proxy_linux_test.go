package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// openBy returns how many descriptors a process has.
func openBy(t *testing.T, p *process) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// echoAt sends back to each client what it sends.
func echoAt(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // whoever waits for it sees an error
			}()
		}
	}()
	return l
}

// patiently connects, and tries again while the backlog is full, or nobody listens yet.
func patiently(path string) (net.Conn, error) {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		c, err := net.Dial("unix", path)
		if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.ECONNREFUSED) {
			return c, err
		}
		<-again.C
	}
}

// A thousand connections at once, all in use, each of them half-closed before the answer has come:
// the relays have one process, or two with one pair of pipes, and nothing left afterwards.
func TestAThousandConnectionsThroughTheRelay(t *testing.T) {
	const connections = 1000
	for name, args := range map[string]func(front, back string) []string{
		"proxy": func(front, back string) []string { return []string{"proxy", front, back} },
		"mux": func(front, back string) []string {
			return []string{"proxy", front, "--mux", "--", "afunix", "proxy", "--mux", "-", back}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testenv.TempDir(t)
			front, back := filepath.Join(dir, "front"), filepath.Join(dir, "back")
			echoAt(t, back)
			relay := start(t, nil, "afunix", args(front, back)...)
			awaitFile(t, front)
			talkAt(t, front, "first")
			before := openBy(t, relay)
			clients := make([]net.Conn, connections)
			var wg sync.WaitGroup
			for i := range clients {
				c, err := patiently(front)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
					t.Fatal(err)
				}
				clients[i] = c
			}
			for i, c := range clients {
				wg.Go(func() {
					text := strings.Repeat(fmt.Sprint("client ", i, " "), 1000)
					if err := talk(c, text); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			eventually(t, "descriptors that are closed", func() bool { return openBy(t, relay) <= before })
		})
	}
}

// talk sends a text, and expects it back after the half-close.
func talk(c net.Conn, text string) error {
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, text)
		sent <- errors.Join(err, c.(*net.UnixConn).CloseWrite())
	}()
	got, err := io.ReadAll(c)
	if err == nil && string(got) != text {
		err = fmt.Errorf("%d bytes came back of %d", len(got), len(text))
	}
	return errors.Join(err, <-sent, c.Close())
}

func talkAt(t *testing.T, path, text string) {
	t.Helper()
	c, err := patiently(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := talk(c, text); err != nil {
		t.Fatal(err)
	}
}

// Targets that are not there, or go away in the middle, leave nothing in the relay.
func TestTheRelayKeepsNothingOfWhatFails(t *testing.T) {
	dir := testenv.TempDir(t)
	back := filepath.Join(dir, "back")
	front, relay := relayTo(t, back)
	before := openBy(t, relay)
	l, err := net.Listen("unix", back)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		client, err := net.Dial("unix", front)
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(client, "never read"); err != nil {
			t.Fatal(err)
		}
		server.Close()
		for err == nil { // the client learns of it
			_, err = io.WriteString(client, "more")
		}
		client.Close()
	}
	l.Close()
	for range 20 {
		client, err := net.Dial("unix", front)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := client.Read(make([]byte, 1)); err == nil {
			t.Errorf("%d bytes of nobody", n)
		}
		client.Close()
	}
	eventually(t, "descriptors that are closed", func() bool { return openBy(t, relay) <= before+1 })
	eventually(t, "errors that name the target", func() bool {
		return strings.Contains(relay.out.String(), "connection 40: dial unix "+back+": connect: no such file")
	})
}

// The service manager's socket is taken for LISTEN, with the clients that wait there already; its
// file stays.
func TestTheRelayTakesTheServiceManagersSocket(t *testing.T) {
	dir := testenv.TempDir(t)
	front, back := filepath.Join(dir, "front"), filepath.Join(dir, "back")
	echoAt(t, back)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: front, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	early, err := net.Dial("unix", front)
	if err != nil {
		t.Fatal(err)
	}
	// The number of the process must be in LISTEN_PID.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec afunix proxy --idle 300ms "$@"`, "sh", front, back)
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }() // fails if it has ended
	if err := talk(early, "waited"); err != nil {
		t.Error(err)
	}
	talkAt(t, front, "later")
	if err := cmd.Wait(); err != nil { // nobody comes any more
		t.Error(err)
	}
	if _, err := os.Lstat(front); err != nil {
		t.Error(err)
	}
	for _, listen := range []string{"@another", "another"} { // what is said is where the socket really is
		cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec afunix proxy -v --idle 300ms "$@"`, "sh", listen, back)
		cmd.ExtraFiles = []*os.File{file}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "listening at "+front+"\n") {
			t.Errorf("%v, %s; want that it listens at %s", err, out, front)
		}
	}
	cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=other exec afunix proxy --idle 300ms "$@"`,
		"sh", "tcp:localhost:1", back)
	cmd.ExtraFiles = []*os.File{file}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), `the service manager has passed ["other"], and none is a socket at tcp:localhost:1`) {
		t.Errorf("%v, %s", err, out)
	}
}

// Standard input and output that are one AF_UNIX socket, as a server has them that inetd starts,
// pass descriptors, too.
func TestTheRelayHasASocketAsStandardInput(t *testing.T) {
	dir := testenv.TempDir(t)
	back := filepath.Join(dir, "back")
	l, err := afunix.Listen("unix", back)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, theirs, err := afunix.KernelTransport.Pair("unix")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	socket, err := theirs.File()
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	cmd := exec.Command("afunix", "proxy", "-", back)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = socket, socket, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	defer func() { _ = cmd.Process.Kill() }() // fails if it has ended
	server, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, way := range [][2]*afunix.Conn{{client, server}, {server, client}} {
		from, to := way[0], way[1]
		if _, err := from.WriteMsg([]byte("x"), testenv.TempFile(t, "")); err != nil {
			t.Fatal(err)
		}
		if err := from.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		m, err := to.ReadMsg(make([]byte, 9))
		if err != nil || m.Rights.Len() != 1 {
			t.Errorf("%d descriptors, %v", m.Rights.Len(), err)
		}
		m.Rights.Close()
		if n, err := to.Read(make([]byte, 9)); err != io.EOF {
			t.Errorf("%d bytes, %v; want the end", n, err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
