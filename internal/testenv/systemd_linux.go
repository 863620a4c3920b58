package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// systemdPatience bounds every wait for systemd that should not last.
const systemdPatience = 30 * time.Second

// A Systemd is a service manager of our own: "systemd --user" in namespaces where it sees nobody
// but what it starts.
type Systemd struct {
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

// NewSystemd starts one. It is over with the test, which is skipped where systemd cannot run.
func NewSystemd(t *testing.T) *Systemd {
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
	dir := TempDir(t)
	r := &Systemd{units: filepath.Join(dir, "units")}
	for _, d := range []string{r.units, filepath.Join(dir, "run")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"basic", "default", "exit", "shutdown"} {
		r.Write(t, target+".target", "[Unit]\nDescription=nothing\n")
	}
	name := fmt.Sprint("afunix-test-", os.Getpid())
	t.Cleanup(func() { removeGroups(t, name) })
	cmd := exec.CommandContext(t.Context(), "bash", "-c", enterScript)
	cmd.Env = append(os.Environ(), "NAME="+name, "SYSTEMD="+program,
		"SYSTEMD_UNIT_PATH="+r.units, "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "HOME="+dir)
	said := new(strings.Builder)
	cmd.Stderr = said
	cmd.WaitDelay = systemdPatience
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
	late := time.AfterFunc(2*systemdPatience, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
		late.Stop()
	})
	r.commands, r.answers = stdin, bufio.NewReader(stdout)
	if _, err := r.Run("true"); err != nil {
		cmd.Wait()
		t.Skipf("no namespaces here: %v: %s", err, said)
	}
	if out, err := r.Run("for i in {1..100}; do systemctl --user is-system-running && break; sleep 0.1; done"); err != nil || !strings.Contains(out, "running") {
		t.Skipf("systemd does not run here: %v: %s", err, out)
	}
	return r
}

// removeGroups removes control groups, in which there is about to be nobody any more.
func removeGroups(t *testing.T, name string) {
	for _, hierarchy := range []string{"", "unified", "systemd"} {
		top := filepath.Join("/sys/fs/cgroup", hierarchy, name)
		late := time.After(systemdPatience)
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

// Write writes a unit.
func (r *Systemd) Write(t *testing.T, unit, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.units, unit), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Run runs a command where the manager is, and returns what it prints.
func (r *Systemd) Run(command string) (string, error) {
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

// MustRun is Run of what has to succeed. It returns what the command prints, without the space
// around that.
func (r *Systemd) MustRun(t *testing.T, command string) string {
	t.Helper()
	out, err := r.Run(command)
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.TrimSpace(out)
}
