package winsock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/leaktest"
)

// The test binary starts itself as the other process, with one of these roles.
var roles = map[string]func() error{
	"echo":   func() error { return withReceived(echo) },
	"accept": func() error { return withReceived(accept) },
	"answer": func() error { return withReceived(answer) },
	"send":   send,
}

const (
	roleVariable    = "AFUNIX_WINSOCK_ROLE"
	addressVariable = "AFUNIX_WINSOCK_ADDRESS" // of whom "send" connects to
	processVariable = "AFUNIX_WINSOCK_PROCESS" // to which "send" sends
)

func play(role func() error) int {
	if err := role(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// withReceived calls f with the socket that comes on standard input, and checks that nothing of it
// is left open.
func withReceived(f func(h windows.Handle) error) error {
	h, err := readSocket(os.Stdin)
	if err != nil {
		return err
	}
	before, err := leaktest.Descriptors()
	if err != nil {
		return err
	}
	if err := f(h); err != nil {
		return err
	}
	after, err := leaktest.Descriptors()
	if err == nil && after != before-1 {
		err = fmt.Errorf("%d handles, then %d: only the socket should be gone", before, after)
	}
	return err
}

func readSocket(r io.Reader) (windows.Handle, error) {
	var info windows.WSAProtocolInfo
	if _, err := io.ReadFull(r, infoBytes(&info)); err != nil {
		return 0, err
	}
	return importSocket(&info)
}

func infoBytes(info *windows.WSAProtocolInfo) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(info)), infoSize)
}

// echo sees a deadline, and then sends back what it reads.
func echo(h windows.Handle) error {
	c, err := NewConn(h)
	if err != nil {
		return err
	}
	defer c.Close()
	start := time.Now()
	if err := c.SetReadDeadline(start.Add(100 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) < 100*time.Millisecond {
		return fmt.Errorf("after %v: %w, want a deadline after 100 ms", time.Since(start), err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	fmt.Println("deadline seen")
	if _, err := io.Copy(c, c); err != nil {
		return err
	}
	return c.CloseWrite()
}

// accept serves two clients.
func accept(h windows.Handle) error {
	l, err := NewListener(h)
	if err != nil {
		return err
	}
	defer l.Close()
	for range 2 {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c, "process %d", os.Getpid()); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// answer answers three datagrams, each with its own text in upper case.
func answer(h windows.Handle) error {
	c, err := NewPacketConn(h)
	if err != nil {
		return err
	}
	defer c.Close()
	buf := make([]byte, 100)
	for range 3 {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		if _, err := c.WriteTo(bytes.ToUpper(buf[:n]), from); err != nil {
			return err
		}
	}
	return nil
}

// send connects, sends the connection, and waits to be killed.
func send() error {
	c, err := net.Dial("tcp", os.Getenv(addressVariable))
	if err != nil {
		return err
	}
	if err := usePoller(c); err != nil {
		return err
	}
	pid, err := strconv.Atoi(os.Getenv(processVariable))
	if err != nil {
		return err
	}
	info, err := describe(c.(*net.TCPConn), pid)
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(infoBytes(info)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// A child is the other process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	errors bytes.Buffer
}

func startChild(t *testing.T, role string, env ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	c.cmd.Stderr = &c.errors
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if c.out, err = c.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(soon, func() { c.cmd.Process.Kill() }) // so that no read from it lasts for ever
	t.Cleanup(func() {
		limit.Stop()
		if c.cmd.ProcessState == nil {
			c.cmd.Process.Kill()
			_ = c.cmd.Wait()
		}
	})
	return c
}

// give hands a duplicate of s to the child.
func (c *child) give(t *testing.T, s syscall.Conn) {
	t.Helper()
	if _, err := c.in.Write(infoBytes(export(t, s, c.cmd.Process.Pid))); err != nil {
		t.Fatal(err)
	}
}

// wait wants the child to end by itself, content.
func (c *child) wait(t *testing.T) {
	t.Helper()
	c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the other process: %v\n%s", err, c.errors.String())
	}
}

// TestConnWorksInAnotherProcess keeps the sender's copy open, on the sender's poller, until the
// end: no completion may reach that poller.
func TestConnWorksInAnotherProcess(t *testing.T) {
	leaktest.Check(t)
	original, peer := tcpPair(t)
	defer original.Close()
	defer peer.Close()
	c := startChild(t, "echo")
	c.give(t, original)
	if _, err := io.ReadFull(c.out, make([]byte, len("deadline seen\n"))); err != nil {
		t.Fatalf("%v: %s", err, c.errors.String())
	}

	data := bytes.Repeat([]byte("there and back "), 1<<16)
	sent := make(chan error, 1)
	go func() {
		_, err := peer.Write(data)
		sent <- errors.Join(err, peer.CloseWrite())
	}()
	got, err := io.ReadAll(peer)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes came back, %v", len(got), len(data), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	c.wait(t)
}

func TestListenerWorksInAnotherProcess(t *testing.T) {
	leaktest.Check(t)
	original, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer original.Close()
	l := original.(*net.TCPListener)
	if err := l.SetDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, _ = l.Accept() // times out: the sender's poller has worked with it
	c := startChild(t, "accept")
	c.give(t, l)
	want := fmt.Sprintf("process %d", c.cmd.Process.Pid)
	for range 2 {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(client)
		if err != nil || string(got) != want {
			t.Errorf("read %q, %v, want %q", got, err, want)
		}
		client.Close()
	}
	c.wait(t)
}

func TestPacketConnWorksInAnotherProcess(t *testing.T) {
	leaktest.Check(t)
	original, client := listenUDP(t), listenUDP(t)
	if err := usePoller(original); err != nil {
		t.Fatal(err)
	}
	if err := client.SetDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	c := startChild(t, "answer")
	c.give(t, original)
	buf := make([]byte, 100)
	for _, text := range []string{"one", "two", "three"} {
		if _, err := client.WriteTo([]byte(text), original.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		n, from, err := client.ReadFrom(buf)
		if err != nil || string(buf[:n]) != string(bytes.ToUpper([]byte(text))) || from.String() != original.LocalAddr().String() {
			t.Errorf("received %q from %v, %v", buf[:n], from, err)
		}
	}
	c.wait(t)
}

// TestConnOutlivesItsSender receives a connection from a process that is then killed, with a read
// already under way.
func TestConnOutlivesItsSender(t *testing.T) {
	leaktest.Check(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sender := startChild(t, "send", addressVariable+"="+l.Addr().String(),
		fmt.Sprintf("%s=%d", processVariable, os.Getpid()))
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	h, err := readSocket(sender.out)
	if err != nil {
		t.Fatalf("%v: %s", err, sender.errors.String())
	}
	c := newConn(t, h)
	defer c.Close()

	buf := make([]byte, 4)
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(c, buf)
		read <- err
	}()
	waitBlocked(t, c.socket, &c.reading)
	if err := sender.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = sender.cmd.Wait() // killed
	mustWrite(t, peer, []byte("ping"))
	if err := <-read; err != nil || string(buf) != "ping" {
		t.Errorf("read %q, %v", buf, err)
	}
	mustWrite(t, c, []byte("pong"))
	mustRead(t, peer, buf)
}
