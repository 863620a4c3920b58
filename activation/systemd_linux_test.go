package activation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/activation"
	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

func init() {
	children["take from systemd"] = func(args []string) error { return printWishes(args[0]) }
	children["service"] = service
	children["serve a connection"] = serveConnection
}

// freeAddress is where nobody listens now, at TCP and UDP.
func freeAddress(t *testing.T) string {
	t.Helper()
	tcp, udp, address := tcpAndUDP(t)
	tcp.Close()
	udp.Close()
	return address
}

// systemd's tool passes listeners with names.
func TestSystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("not installed: systemd-socket-activate")
	}
	first, second := freeAddress(t), freeAddress(t)
	text, err := json.Marshal([]wish{{"admin", "tcp", ":1"}, {"web", "tcp", ":1"}, {"web", "udp", first}})
	if err != nil {
		t.Fatal(err)
	}
	started := testchild.Command(t.Context(), "take from systemd", string(text))
	args := []string{"--listen=" + first, "--listen=" + second, "--fdname=web:admin"}
	for _, v := range started.Env {
		if strings.HasPrefix(v, "AFUNIX_") || strings.HasPrefix(v, "GORACE=") {
			args = append(args, "--setenv="+v)
		}
	}
	cmd := exec.CommandContext(t.Context(), tool, append(args, started.Args...)...)
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	go connect(t, second) // the tool starts the program for the first client
	expectLines(t, output(t, cmd), "*net.TCPListener "+second, "*net.TCPListener "+first, "none", "left: []")
}

// systemd's tool accepts the connection itself, and passes that.
func TestSystemdAccepts(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("not installed: systemd-socket-activate")
	}
	path := filepath.Join(testenv.TempDir(t), "s")
	started := testchild.Command(t.Context(), "serve a connection")
	args := []string{"--listen=" + path, "--accept", "--fdname=connection"} // as systemd names it
	for _, v := range started.Env {
		if strings.HasPrefix(v, "AFUNIX_") || strings.HasPrefix(v, "GORACE=") {
			args = append(args, "--setenv="+v)
		}
	}
	cmd := exec.CommandContext(t.Context(), tool, append(args, started.Args...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var c *afunix.Conn
	for limit := timeLimit(); c == nil; <-time.After(10 * time.Millisecond) {
		if c, err = afunix.Dial("unix", path); err != nil && limit.Err() != nil {
			t.Fatal(err)
		}
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if text, err := io.ReadAll(c); string(text) != fmt.Sprint("hello, process ", os.Getpid()) || err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		t.Errorf("%q, %v: %s", text, err, &said)
	}
}

// serveConnection greets the client whose connection systemd has passed.
func serveConnection([]string) error {
	s, err := activation.Take()
	if err != nil {
		return err
	}
	defer s.Close()
	f, err := s.File("connection")
	if err != nil {
		return err
	}
	defer f.Close()
	c, err := afunix.FileConn(f)
	if err != nil {
		return err
	}
	defer c.Close()
	who, err := c.PeerCredentials()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c, "hello, process ", who.PID)
	return err
}

// connect connects as soon as somebody listens.
func connect(t *testing.T, address string) {
	for limit := timeLimit(); limit.Err() == nil; {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Error("nobody listens at", address)
}

// service is one of systemd's: it has two sockets of one name. The first process gives the service
// manager a file to keep, and the second one finds that.
func service([]string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	s, err := activation.Take()
	if err != nil {
		return err
	}
	defer s.Close()
	for _, w := range []wish{{"web", "udp", ":1"}, {"web", "tcp", ":1"}} {
		fmt.Println(w.ask(s))
	}
	m, err := activation.Dial(timeLimit())
	if err != nil {
		return err
	}
	defer m.Close()
	f, err := s.File("state")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = storeState(m)
	case err == nil:
		err = recallState(m, f)
	}
	if err != nil {
		return err
	}
	if err := m.Reloading(timeLimit()); err != nil {
		return err
	}
	if err := m.Notify(timeLimit(), "READY=1"); err != nil {
		return err
	}
	<-stop
	return nil
}

func storeState(m *activation.Manager) error {
	f, err := os.CreateTemp("", "")
	if err != nil {
		return err
	}
	defer f.Close()
	os.Remove(f.Name())
	if _, err := f.WriteString("what the first one knew"); err != nil {
		return err
	}
	if err := m.Store(timeLimit(), "state", f); err != nil {
		return err
	}
	fmt.Println("stored")
	return m.Barrier(timeLimit())
}

func recallState(m *activation.Manager, f *os.File) error {
	defer f.Close()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	fmt.Printf("recalled: %s\n", text)
	if err := m.Remove(timeLimit(), "state"); err != nil {
		return err
	}
	return m.Barrier(timeLimit())
}

// The service manager itself passes two sockets of one name, keeps a descriptor from one process to
// the next, and closes it when it is told to.
func TestSystemdKeepsADescriptor(t *testing.T) {
	r := testenv.NewSystemd(t)
	address, log := freeAddress(t), filepath.Join(testenv.TempDir(t), "log")
	started := testchild.Command(t.Context(), "service")
	environment := ""
	for _, v := range started.Env {
		if strings.HasPrefix(v, "AFUNIX_") || strings.HasPrefix(v, "GORACE=") {
			environment += fmt.Sprintf("Environment=%s\n", v)
		}
	}
	r.Write(t, "web.socket", fmt.Sprintf("[Socket]\nListenStream=%s\nListenDatagram=%[1]s\nFileDescriptorName=web\n", address))
	r.Write(t, "web.service", fmt.Sprintf("[Service]\nType=notify\nFileDescriptorStoreMax=3\nTimeoutStartSec=20\n%sExecStart=%s\nStandardOutput=append:%s\nStandardError=append:%[3]s\n",
		environment, started.Path, log))
	say := func(command string, stored string) {
		t.Helper()
		if out, err := r.Run(command); err != nil {
			text, _ := os.ReadFile(log)
			t.Fatalf("%s: %v: %s: %s", command, err, out, text)
		}
		if n := r.MustRun(t, "systemctl --user show web.service -P NFileDescriptorStore"); n != stored {
			t.Errorf("%s: the manager keeps %s descriptors, want %s", command, n, stored)
		}
	}
	say("systemctl --user start web.socket web.service", "1")
	say("systemctl --user restart web.service", "0")
	r.MustRun(t, "systemctl --user stop web.service web.socket")
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	sockets := []string{"*net.UDPConn " + address, "*net.TCPListener " + address}
	expectLines(t, strings.Split(strings.TrimSpace(string(text)), "\n"),
		sockets[0], sockets[1], "stored", sockets[0], sockets[1], "recalled: what the first one knew")
}
