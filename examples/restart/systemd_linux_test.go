package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// freeAddress is where nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// elsewhere is where the server could not listen itself.
const elsewhere = "203.0.113.1:80"

// systemd's tool passes a listener, and the server hands it on to its successor.
func TestSystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("not installed: systemd-socket-activate")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address, control := freeAddress(t), filepath.Join(testenv.TempDir(t), "restart.sock")
	cmd := exec.CommandContext(t.Context(), tool, "--listen="+address, "--fdname=web", "--setenv="+versionVariable+"=1",
		"--setenv=GORACE=atexit_sleep_ms=0", self, "-listen", elsewhere, "-control", control)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, address: address}
	awaitListener(t, address) // which the tool itself makes; it starts the server for the first client
	first := process(t, address)
	if first != cmd.Process.Pid {
		t.Fatalf("process %d serves, not %d", first, cmd.Process.Pid)
	}
	if err := syscall.Kill(first, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.expectExit(t)
	second := process(t, address)
	if second == first {
		t.Errorf("process %d still serves", first)
	}
	if err := syscall.Kill(second, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expectGone(t, control)
}

func awaitListener(t *testing.T, address string) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatal(err)
		}
	}
}

// A systemdRig is a service manager of our own: "systemd --user" in namespaces where it sees nobody
// but what it starts.
type systemdRig struct {
	commands io.Writer
	answers  *bufio.Reader
	units    string
}

// enterScript gives a shell cgroups and namespaces of its own, in which it starts the service
// manager. The shell then runs each line that it reads, and says how that has ended.
const enterScript = `
set -eu
cd /sys/fs/cgroup
for hierarchy in . unified systemd; do
	if [[ -e $hierarchy/cgroup.procs ]]; then
		mkdir $hierarchy/$NAME
		echo $$ >$hierarchy/$NAME/cgroup.procs
	fi
done
exec unshare --mount --pid --cgroup --fork --kill-child --mount-proc bash -c '
	set -eu
	cd /
	mount -t tmpfs none /run
	mkdir -p /run/systemd/system # or it would not believe that this is a system for it
	if [[ -e /sys/fs/cgroup/cgroup.procs ]]; then
		mount -t cgroup2 none /sys/fs/cgroup
	else
		mount -t tmpfs none /sys/fs/cgroup
		mkdir /sys/fs/cgroup/unified /sys/fs/cgroup/systemd
		mount -t cgroup2 none /sys/fs/cgroup/unified
		mount -t cgroup -o none,name=systemd none /sys/fs/cgroup/systemd
	fi
	"$SYSTEMD" --user >/dev/null 2>&1 &
	set +e
	while read -r line; do
		eval "$line" 2>&1
		echo "=> $?"
	done
'`

func newSystemd(t *testing.T) *systemdRig {
	t.Helper()
	const program = "/lib/systemd/systemd"
	for _, tool := range []string{program, "systemctl", "unshare", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("not installed: ", tool)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("needs root, to make namespaces and control groups")
	}
	dir := testenv.TempDir(t)
	r := &systemdRig{units: filepath.Join(dir, "units")}
	for _, d := range []string{r.units, filepath.Join(dir, "run")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"basic", "default", "exit", "shutdown"} {
		r.write(t, target+".target", "[Unit]\nDescription=nothing\n")
	}
	name := fmt.Sprint("afunix-test-", os.Getpid())
	t.Cleanup(func() { removeGroups(t, name) })
	cmd := exec.CommandContext(t.Context(), "bash", "-c", enterScript)
	cmd.Env = append(os.Environ(), "NAME="+name, "SYSTEMD="+program,
		"SYSTEMD_UNIT_PATH="+r.units, "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "HOME="+dir)
	said := new(strings.Builder)
	cmd.Stderr = said
	cmd.WaitDelay = patience
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(2*patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
		late.Stop()
	})
	r.commands, r.answers = stdin, bufio.NewReader(stdout)
	if _, err := r.run("true"); err != nil {
		cmd.Wait()
		t.Skipf("no namespaces here: %v: %s", err, said)
	}
	if out, err := r.run("for i in {1..100}; do systemctl --user is-system-running && break; sleep 0.1; done"); err != nil || !strings.Contains(out, "running") {
		t.Skipf("systemd does not run here: %v: %s", err, out)
	}
	return r
}

// removeGroups removes control groups, in which there is about to be nobody any more.
func removeGroups(t *testing.T, name string) {
	for _, hierarchy := range []string{"", "unified", "systemd"} {
		top := filepath.Join("/sys/fs/cgroup", hierarchy, name)
		late := time.After(patience)
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		for removeTree(top) != nil {
			select {
			case <-again.C:
			case <-late:
				t.Fatalf("%s is still there", top)
			}
		}
	}
}

// removeTree removes directories that have nothing but directories, and files that are none.
func removeTree(top string) error {
	var directories []string
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			directories = append(directories, path)
		}
		return err
	})
	for i := len(directories) - 1; i >= 0 && err == nil; i-- { // the inner ones first
		err = os.Remove(directories[i])
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (r *systemdRig) write(t *testing.T, unit, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.units, unit), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a command where the manager is, and returns what it prints.
func (r *systemdRig) run(command string) (string, error) {
	if _, err := io.WriteString(r.commands, command+"\n"); err != nil {
		return "", err
	}
	var out strings.Builder
	for {
		line, err := r.answers.ReadString('\n')
		if err != nil {
			return out.String(), err
		}
		status, isStatus := strings.CutPrefix(line, "=> ")
		switch {
		case !isStatus:
			out.WriteString(line)
		case status == "0\n":
			return out.String(), nil
		default:
			return out.String(), fmt.Errorf("exit status %s", strings.TrimSpace(status))
		}
	}
}

func (r *systemdRig) mustRun(t *testing.T, command string) string {
	t.Helper()
	out, err := r.run(command)
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.TrimSpace(out)
}

// mainPID is which process the manager takes for the service.
func (r *systemdRig) mainPID(t *testing.T) int {
	t.Helper()
	pid, err := strconv.Atoi(r.mustRun(t, "systemctl --user show web -P MainPID"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// The service manager itself follows from process to process, and knows of a restart that has
// failed as little as the clients.
func TestSystemdFollowsTheMainProcess(t *testing.T) {
	r := newSystemd(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := testenv.TempDir(t)
	program, address := filepath.Join(dir, "server"), freeAddress(t)
	install := func(file string) {
		t.Helper()
		if err := os.Symlink(file, program+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(program+".new", program); err != nil {
			t.Fatal(err)
		}
	}
	install(self)
	r.write(t, "web.service", fmt.Sprintf(`[Service]
Type=notify
Environment=%s=1 GORACE=atexit_sleep_ms=0
ExecStart=%s -listen %s -control %s/restart.sock
ExecReload=kill -HUP $MAINPID
StandardError=append:%s/log
`, versionVariable, program, address, dir, dir))
	r.mustRun(t, "systemctl --user start web")
	expectMain := func() int {
		t.Helper()
		pid := process(t, address)
		if main := r.mainPID(t); main != pid {
			t.Fatalf("process %d serves, and the service manager thinks that %d does", pid, main)
		}
		return pid
	}
	first := expectMain()

	install("/bin/false")
	r.mustRun(t, "systemctl --user reload web")
	expectLog(t, filepath.Join(dir, "log"), "has ended before it was ready")
	if pid := expectMain(); pid != first {
		t.Errorf("process %d serves, though its program is no server", pid)
	}

	install(self)
	r.mustRun(t, "systemctl --user reload web")
	r.mustRun(t, fmt.Sprintf("tail --pid=%d -f /dev/null", first)) // until it has left
	if pid := expectMain(); pid == first {
		t.Errorf("process %d still serves", pid)
	}
	if state := r.mustRun(t, "systemctl --user show web -P SubState"); state != "running" {
		t.Errorf("the service is %s", state)
	}
	r.mustRun(t, "systemctl --user stop web")
	if result := r.mustRun(t, "systemctl --user show web -P Result"); result != "success" { // and not "signal"
		t.Errorf("the service ends with %s", result)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || strings.Contains(string(log), "notify") {
		t.Errorf("the servers say: %s (%v)", log, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "restart.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket file: %v", err)
	}
}

// expectLog waits until a line of the file contains the text.
func expectLog(t *testing.T, path, text string) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		log, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(log), text) {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("the log says %q, %v", log, err)
		}
	}
}
