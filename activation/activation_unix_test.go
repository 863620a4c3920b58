//go:build unix

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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"afunix"
	"afunix/activation"
	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

func init() { children["take"] = takeAll }

// A wish is what a process asks for.
type wish struct {
	Name, Network, Address string
}

// takeAll is a process that the service manager has started. It asks for what it is told to, prints
// what it gets, a line each, and what is left.
func takeAll(args []string) error {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // which only the manager knows before
	return printWishes(args[0])
}

func printWishes(text string) error {
	var wishes []wish
	if err := json.Unmarshal([]byte(text), &wishes); err != nil {
		return err
	}
	s, err := activation.Take()
	if err != nil {
		return err
	}
	defer s.Close()
	for _, w := range wishes {
		fmt.Println(w.ask(s))
	}
	fmt.Println("left:", s.Names())
	for _, v := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		if _, ok := os.LookupEnv(v); ok {
			return fmt.Errorf("%s is still there", v)
		}
	}
	again, err := activation.Take()
	if err != nil || len(again.Names()) != 0 {
		return fmt.Errorf("taken twice: %v, %v", again.Names(), err)
	}
	return nil
}

// ask says what there is for w.
func (w wish) ask(s *activation.Sockets) string {
	switch w.Network {
	case "":
		f, err := s.File(w.Name)
		if err != nil {
			return failure(err)
		}
		defer f.Close()
		text, _ := io.ReadAll(f)
		return fmt.Sprintf("file %q", text)
	case "udp", "unixgram":
		c, err := s.PacketConn(timeLimit(), w.Name, w.Network, w.Address)
		if err != nil {
			return failure(err)
		}
		defer c.Close()
		return fmt.Sprintf("%T %v", c, c.LocalAddr())
	}
	l, err := s.Listener(timeLimit(), w.Name, w.Network, w.Address)
	if err != nil {
		return failure(err)
	}
	defer l.Close()
	if w.Network != "tcp" {
		c, err := l.Accept()
		if err != nil {
			return err.Error()
		}
		c.Write([]byte("served"))
		c.Close()
	}
	return fmt.Sprintf("%T %v", l, l.Addr())
}

func failure(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	return err.Error()
}

// passTo starts a process that is passed the files, and returns what it prints.
func passTo(t *testing.T, names string, files []*os.File, wishes ...wish) []string {
	t.Helper()
	text, err := json.Marshal(wishes)
	if err != nil {
		t.Fatal(err)
	}
	cmd := testchild.Command(t.Context(), "take", string(text))
	cmd.ExtraFiles = files
	cmd.Env = append(cmd.Env, fmt.Sprint("LISTEN_FDS=", len(files)), "LISTEN_FDNAMES="+names)
	return output(t, cmd)
}

func output(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &said)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func expectLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("the process prints\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// file returns a file with a copy of a socket, which is then closed here.
func file(t *testing.T, socket interface {
	io.Closer
	File() (*os.File, error)
}) *os.File {
	t.Helper()
	f, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	socket.Close()
	t.Cleanup(func() { f.Close() })
	return f
}

// tcpAndUDP returns a listener and a datagram socket at one port.
func tcpAndUDP(t *testing.T) (tcp, udp *os.File, address string) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.ListenPacket("udp", l.Addr().String())
		if err != nil {
			l.Close()
			continue
		}
		return file(t, l.(*net.TCPListener)), file(t, c.(*net.UDPConn)), l.Addr().String()
	}
	t.Fatal("no port is free for both")
	return nil, nil, ""
}

// Two sockets of one name go to whom they belong, in whatever order they are passed and asked for.
func TestSocketsOfOneName(t *testing.T) {
	tcp, udp, address := tcpAndUDP(t)
	for _, files := range [][]*os.File{{tcp, udp}, {udp, tcp}} {
		stream, packet := wish{"web", "tcp", ":1"}, wish{"web", "udp", ":1"}
		expectLines(t, passTo(t, "web:web", files, stream, packet, stream),
			"*net.TCPListener "+address, "*net.UDPConn "+address, "none", "left: []")
		expectLines(t, passTo(t, "web:web", files, packet, stream),
			"*net.UDPConn "+address, "*net.TCPListener "+address, "left: []")
	}
}

// By type before address, and by address among those of one name, or where nothing has a name.
func TestSocketsByAddress(t *testing.T) {
	tcp, udp, address := tcpAndUDP(t)
	other, _, otherAddress := tcpAndUDP(t)
	files := []*os.File{other, udp, tcp}
	expectLines(t, passTo(t, "web:web:web", files, wish{"web", "tcp", address}, wish{"web", "tcp", otherAddress}, wish{"web", "tcp", address}),
		"*net.TCPListener "+address, "*net.TCPListener "+otherAddress, "none", "left: [web]")
	expectLines(t, passTo(t, "", files, wish{"web", "tcp", address}, wish{"", "udp", address}, wish{"web", "tcp", ":1"}),
		"*net.TCPListener "+address, "*net.UDPConn "+address, "none", "left: [unknown]")
}

// Sockets of AF_UNIX are those of package afunix; their files are the manager's.
func TestSocketsOfAFUnix(t *testing.T) {
	dir := testenv.TempDir(t)
	path, logPath := filepath.Join(dir, "s"), filepath.Join(dir, "log")
	l, err := afunix.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	c, err := afunix.ListenPacket("unixgram", logPath)
	if err != nil {
		t.Fatal(err)
	}
	a, b, err := afunix.Pair("unix")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	io.WriteString(w, "from the pipe")
	w.Close()
	io.WriteString(b, "from the connection")
	b.CloseWrite()
	client, err := afunix.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	files := []*os.File{r, file(t, l), file(t, c), file(t, a)}
	lines := passTo(t, "fifo:ctl:ctl:connection", files,
		wish{"ctl", "unixpacket", path}, wish{"ctl", "unix", "/elsewhere"}, wish{"ctl", "unixgram", logPath},
		wish{"fifo", "unix", path}, wish{"fifo", "", ""}, wish{"connection", "", ""}, wish{"nothing", "", ""})
	expectLines(t, lines, "none", "*afunix.Listener "+path, "*afunix.Conn "+logPath,
		"none", `file "from the pipe"`, `file "from the connection"`, "none", "left: []")
	if text, err := io.ReadAll(client); string(text) != "served" || err != nil {
		t.Errorf("the client reads %q, %v", text, err)
	}
	for _, p := range []string{path, logPath} {
		if _, err := os.Lstat(p); err != nil {
			t.Error(err)
		}
	}
}

// What is not for this process is not taken, and nonsense is nothing.
func TestNothingIsPassed(t *testing.T) {
	for _, env := range [][]string{
		nil,
		{"LISTEN_FDS=1", "LISTEN_PID=1"},
		{"LISTEN_FDS=-1"}, {"LISTEN_FDS=x"}, {"LISTEN_FDS=0"}, {"LISTEN_FDS=99999999"},
	} {
		for _, v := range env {
			name, value, _ := strings.Cut(v, "=")
			t.Setenv(name, value)
		}
		if len(env) == 1 {
			t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		}
		s, err := activation.Take()
		if err != nil || len(s.Names()) != 0 {
			t.Errorf("%v: %v, %v", env, s.Names(), err)
		}
		if _, err := s.Listener(t.Context(), "web", "tcp", ":80"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v; want fs.ErrNotExist", err)
		}
		if _, err := s.File("web"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v; want fs.ErrNotExist", err)
		}
	}
}

// A manager that counts descriptors which are not there is an error that says which.
func TestDescriptorThatIsNotThere(t *testing.T) {
	for fd := uintptr(3); fd < 10; fd++ {
		if _, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err == nil {
			continue
		}
		cmd := testchild.Command(t.Context(), "take", "[]")
		cmd.Env = append(cmd.Env, "LISTEN_FDS=200") // more than the child has open
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "which LISTEN_FDS counts: bad file descriptor") {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	t.Skip("all small numbers are taken here")
}
