//go:build unix

package newcomer

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeAptGet finds the lock held the first time, and wants to be asked as it is when it succeeds.
const fakeAptGet = `#!/bin/sh
if mkdir "$0.asked" 2>/dev/null; then
	echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 42 (apt)" >&2
	exit 100
fi
echo "$DEBIAN_FRONTEND: $*"
[ "$1" != fail ] || exit 7
`

// What sets a machine up waits for a lock of apt that somebody else holds, and says so; any other
// failure is one at once.
func TestAptGetWaitsForLocks(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"apt-get": fakeAptGet, "sudo": "#!/bin/sh\nshift\nexec \"$@\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out, err := aptGet(t, dir, "update", "-q")
	if err != nil || !strings.Contains(out, "apt-get waits: E: Could not get lock") || !strings.HasSuffix(out, "noninteractive: update -q\n") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = aptGet(t, dir, "fail")
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 7 || strings.Contains(out, "waits") {
		t.Errorf("%v\n%s", err, out)
	}
}

func aptGet(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, "scripts", "apt-get"), args...)
	cmd.Env = append(os.Environ(), "PATH="+path+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
