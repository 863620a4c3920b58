//go:build unix

package upgrade_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
	"afunix/upgrade"

	"golang.org/x/sys/unix"
)

func init() {
	children["claim"] = claim
	children["claim without descriptors"] = claimWithoutDescriptors
	children["claim after a refusal"] = claimAfterARefusal
}

// A wish is what a process asks for.
type wish struct {
	Name, Network, Address string
	Late                   bool // after Ready
	Packet                 bool
}

// ask returns where the socket is that u has for w.
func (w wish) ask(u *upgrade.Upgrader) (string, error) {
	if w.Packet {
		c, err := u.ListenPacket(timeLimit(), w.Name, w.Network, w.Address)
		if err != nil {
			return "", err
		}
		return c.LocalAddr().String(), nil
	}
	l, err := u.Listen(timeLimit(), w.Name, w.Network, w.Address)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, w.Name)
			c.Close()
		}
	}()
	return l.Addr().String(), nil
}

// claim is a process that the service manager has started: it asks for what it is told to on its
// command line, prints what it gets, a line each, and serves until it has a successor.
func claim(args []string) error {
	pretendActivation()
	u, err := upgrade.New(timeLimit(), upgrade.Config{Address: args[0], Failed: func(err error) { fmt.Println("failed:", err) }})
	if err != nil {
		return err
	}
	defer u.Close()
	var wishes []wish
	if err := json.Unmarshal([]byte(args[1]), &wishes); err != nil {
		return err
	}
	grant := func(late bool) {
		for _, w := range wishes {
			if w.Late == late {
				fmt.Println(w.ask(u))
			}
		}
	}
	grant(false)
	if err := u.Ready(timeLimit()); err != nil {
		return err
	}
	grant(true)
	fmt.Println("ready")
	select {
	case <-u.Done():
	case <-timeLimit().Done():
	}
	return nil
}

// A managed process has what a service manager passes.
type managed struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
}

// manage starts a process that is passed the files, by the names.
func manage(t *testing.T, at, names string, files []*os.File, wishes ...wish) *managed {
	t.Helper()
	text, err := json.Marshal(wishes)
	if err != nil {
		t.Fatal(err)
	}
	m := &managed{cmd: child("claim", at, string(text))}
	m.cmd.ExtraFiles = files
	m.cmd.Env = append(m.cmd.Env, fmt.Sprint("LISTEN_FDS=", len(files)))
	if names != "" {
		m.cmd.Env = append(m.cmd.Env, "LISTEN_FDNAMES="+names)
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { m.cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		m.cmd.Process.Kill()
		m.cmd.Wait()
	})
	m.lines = bufio.NewReader(out)
	return m
}

// expect expects the lines, of which each begins with what is given.
func (m *managed) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range append(want, "ready") {
		line, err := m.lines.ReadString('\n')
		if !strings.HasPrefix(line, w) || err != nil {
			t.Fatalf("the process says %q, %v; want %q", line, err, w)
		}
	}
}

// A stock is what the service manager has open.
type stock struct {
	files []*os.File
	addrs []string
}

func (s *stock) add(t *testing.T, socket interface{ File() (*os.File, error) }, addr net.Addr) {
	t.Helper()
	f, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	s.files, s.addrs = append(s.files, f), append(s.addrs, addr.String())
}

// tcp adds a listener that is bound to address.
func (s *stock) tcp(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.add(t, l.(*net.TCPListener), l.Addr())
}

func (s *stock) udp(t *testing.T, address string) {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.add(t, c.(*net.UDPConn), c.LocalAddr())
}

func (s *stock) unix(t *testing.T, network, path string) {
	t.Helper()
	l, err := net.Listen(network, path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	t.Cleanup(func() { os.Remove(path) })
	s.add(t, l.(*net.UnixListener), l.Addr())
}

// fifo adds what ListenFIFO= would.
func (s *stock) fifo(t *testing.T) {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	s.files, s.addrs = append(s.files, f), append(s.addrs, path)
}

// port is the address of socket i without its host.
func (s *stock) port(i int) string {
	_, port, err := net.SplitHostPort(s.addrs[i])
	if err != nil {
		panic(err)
	}
	return ":" + port
}

const nowhere = "127.0.0.1:1" // where no process may listen itself

func TestActivationByNameNetworkAndAddress(t *testing.T) {
	at := address(t)
	ctl := at + ".ctl"
	var s stock
	s.udp(t, "[::]:0")           // 0
	s.tcp(t, s.addrs[0])         // 1: the same port
	s.tcp(t, "[::]:0")           // 2
	s.fifo(t)                    // 3
	s.unix(t, "unixpacket", ctl) // 4
	s.unix(t, "unix", ctl+"2")   // 5
	s.tcp(t, "127.0.0.1:0")      // 6
	for names, wishes := range map[string][]wish{
		"web:web:web:web:web:web:web": {
			{Name: "web", Network: "tcp", Address: s.port(2)},
			{Name: "web", Network: "udp", Address: nowhere, Packet: true},
			{Name: "web", Network: "tcp", Address: "localhost" + s.port(6)},
			{Name: "web", Network: "unixpacket", Address: "/nowhere/ctl"},
			{Name: "web", Network: "unix", Address: "/nowhere/ctl"},
		},
		"": {
			{Name: "web", Network: "tcp", Address: s.port(2)},
			{Name: "dns", Network: "udp", Address: s.port(0), Packet: true},
			{Name: "adm", Network: "tcp4", Address: "127.0.0.1" + s.port(6)},
			{Name: "ctl", Network: "unixpacket", Address: ctl},
			{Name: "", Network: "unix", Address: ctl + "2"},
		},
	} {
		t.Run("names "+names, func(t *testing.T) {
			m := manage(t, address(t), names, s.files, wishes...)
			m.expect(t, s.addrs[2], s.addrs[0], s.addrs[6], ctl, ctl+"2")
		})
	}
}

// What one process does not ask for, the next one can: after Ready, and in another version.
func TestActivationThatNobodyAskedFor(t *testing.T) {
	at := address(t)
	admin := at + ".admin"
	var s stock
	s.tcp(t, "127.0.0.1:0")
	s.unix(t, "unix", admin)
	s.fifo(t)
	s.udp(t, "127.0.0.1:0")
	m := manage(t, at, "web:admin:fifo:stats", s.files,
		wish{Name: "web", Network: "tcp", Address: nowhere},
		wish{Name: "stats", Network: "udp", Address: nowhere, Packet: true, Late: true})
	m.expect(t, s.addrs[0], s.addrs[3])

	second, served := claimHere(t, at, "admin", "unix", admin, admin)
	expectGreeting(t, "unix", admin, "admin")
	third, _ := claimHere(t, at, "web", "tcp", "127.0.0.1:2", s.addrs[0]) // by the name, as it would be if the manager had started it
	expectDone(t, second)
	served.Close()                                                       // what a successor does not ask for stays with its predecessor until then
	fourth, _ := claimHere(t, at, "http", "tcp", s.addrs[0], s.addrs[0]) // by the address
	expectDone(t, third)
	late := listen(t, fourth, "admin", "unix", "/nowhere/at/all")
	greet(t, late, "late")
	expectGreeting(t, "unix", admin, "late")
	c, err := fourth.ListenPacket(within(t), "stats", "udp", nowhere)
	if err != nil || c.LocalAddr().String() != s.addrs[3] {
		t.Errorf("%v, %v", c, err)
	}
	c.Close()
	late.Close() // here: it can be asked for again
	greet(t, listen(t, fourth, "admin", "unix", "/nowhere/at/all"), "again")
	expectGreeting(t, "unix", admin, "again")
	if _, err := os.Lstat(admin); err != nil {
		t.Errorf("the manager's socket file: %v", err)
	}
}

// A process that has been replaced has nothing open any more: when its successor ends, and the
// manager closes a socket, nobody is left in it.
func TestActivationGoesToTheSuccessor(t *testing.T) {
	at := address(t)
	var s stock
	s.tcp(t, "127.0.0.1:0")
	first := manage(t, at, "web", s.files)
	first.expect(t)
	second := start(t, upgrade.Config{Address: at})
	ready(t, second)
	third := start(t, upgrade.Config{Address: at})
	ready(t, third)
	expectDone(t, second)
	s.files[0].Close()
	if err := first.cmd.Wait(); err != nil {
		t.Error(err)
	}
	third.Close()
	if _, err := dial(t, "tcp", s.addrs[0]); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("somebody still has the socket: %v", err)
	}
}

// claimHere is a successor in this process that serves one of the manager's sockets.
func claimHere(t *testing.T, at, name, network, address, want string) (*upgrade.Upgrader, *upgrade.Listener) {
	t.Helper()
	u := start(t, upgrade.Config{Address: at})
	l := listen(t, u, name, network, address)
	if l.Addr().String() != want {
		t.Errorf("%s is at %v, not %s", name, l.Addr(), want)
	}
	greet(t, l, name)
	ready(t, u)
	return u, l
}

// claimWithoutDescriptors asks when it has none left, and again.
func claimWithoutDescriptors(args []string) error {
	pretendActivation()
	u, err := upgrade.New(timeLimit(), upgrade.Config{Address: args[0]})
	if err != nil {
		return err
	}
	defer u.Close()
	restore, err := testenv.LeaveNoRoom()
	if err != nil {
		return err
	}
	_, failure := u.Listen(timeLimit(), "web", "tcp", nowhere)
	if err := restore(); err != nil {
		return err
	}
	if !errors.Is(failure, unix.EMFILE) {
		return fmt.Errorf("without descriptors: %w", failure)
	}
	l, err := u.Listen(timeLimit(), "web", "tcp", nowhere)
	if err != nil {
		return err
	}
	if l.Addr().String() != args[1] {
		return fmt.Errorf("it is at %v, not %s", l.Addr(), args[1])
	}
	return u.Ready(timeLimit())
}

func TestActivationIsThereAfterAFailure(t *testing.T) {
	var s stock
	s.tcp(t, "127.0.0.1:0")
	cmd := child("claim without descriptors", address(t), s.addrs[0])
	cmd.ExtraFiles = s.files
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
	said := new(bytes.Buffer)
	cmd.Stderr = said
	if err := cmd.Run(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// Start-up code removes the service manager's socket file before it listens; or that has happened
// in a process before, which has left its own.
func TestActivationWhoseFileIsGone(t *testing.T) {
	for name, leave := range map[string]bool{"removed": false, "another one's": true} {
		t.Run(name, func(t *testing.T) {
			at := address(t)
			path := at + ".web"
			var s stock
			s.unix(t, "unix", path)
			remove(t, path)
			if leave {
				deadSocket(t, upgrade.Config{}, path)
			}
			m := manage(t, at, "web", s.files, wish{Name: "web", Network: "unix", Address: path})
			m.expect(t, "failed: upgrade: web (unix "+path+"): "+upgrade.ErrUnreachable.Error(), path)
			expectGreeting(t, "unix", path, "web")
			claimHere(t, at, "web", "unix", path, path)
			expectGreeting(t, "unix", path, "web")
		})
	}
}

// Where the socket file is another process's, Listen fails, and the manager's socket can be asked
// for again.
func TestActivationWhosePathIsSomebodyElses(t *testing.T) {
	at := address(t)
	path := at + ".web"
	var s stock
	s.unix(t, "unix", path)
	first := manage(t, at, "web", s.files)
	first.expect(t)
	u := start(t, upgrade.Config{Address: at, Failed: func(error) {}})
	remove(t, path)
	other, err := afunix.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := u.Listen(ctx, "web", "unix", path); !errors.Is(err, upgrade.ErrUnreachable) || !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("Listen: %v", err)
	}
	other.Close()
	greet(t, listen(t, u, "web", "unix", path), "web")
	ready(t, u)
	expectGreeting(t, "unix", path, "web")
}

// claimAfterARefusal is turned away by the process at the address, and serves at another.
func claimAfterARefusal(args []string) error {
	pretendActivation()
	if _, err := upgrade.New(timeLimit(), upgrade.Config{Address: args[0]}); !errors.Is(err, upgrade.ErrRefused) {
		return fmt.Errorf("the first time: %w", err)
	}
	u, err := upgrade.New(timeLimit(), upgrade.Config{Address: args[0] + "2"})
	if err != nil {
		return err
	}
	defer u.Close()
	l, err := u.Listen(timeLimit(), "web", "tcp", nowhere)
	if err != nil {
		return err
	}
	if l.Addr().String() != args[1] {
		return fmt.Errorf("it is at %v, not %s", l.Addr(), args[1])
	}
	return u.Ready(timeLimit())
}

func TestActivationIsThereWhenNewHasFailed(t *testing.T) {
	cfg, failed := withFailures(t)
	serving(t, cfg, "first")
	second, _ := preparing(t, cfg, "second") // so that a third one is turned away
	defer second.Close()
	var s stock
	s.tcp(t, "127.0.0.1:0")
	cmd := child("claim after a refusal", cfg.Address, s.addrs[0])
	cmd.ExtraFiles = s.files
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
	said := new(bytes.Buffer)
	cmd.Stderr = said
	if err := cmd.Run(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
	failed.expect(t)
}
