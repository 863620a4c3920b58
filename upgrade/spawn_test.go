package upgrade

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"afunix/internal/testenv"
)

// However a program was started, it can be started again, when the current directory is another one
// and its file has been replaced.
func TestTheProgramIsFoundAgain(t *testing.T) {
	dir := testenv.TempDir(t)
	path := filepath.Join(dir, "server.exe")
	if err := os.WriteFile(path, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("PATH", "."+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, want := range map[string]string{
		path: path,
		"." + string(filepath.Separator) + "server.exe": path,
		"server.exe":           path, // as a console of Windows starts it, or a PATH with a dot
		"-a name that is none": self,
	} {
		if got := locate(name); !sameFile(t, got, want) || !filepath.IsAbs(got) {
			t.Errorf("%q is %s, not %s", name, got, want)
		}
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.Stat(a)
	if err != nil {
		t.Error(err)
		return false
	}
	y, err := os.Stat(b)
	if err != nil {
		t.Error(err)
		return false
	}
	return os.SameFile(x, y)
}

func TestTheWatchdogIsForWhoeverServes(t *testing.T) {
	got := environment([]string{"A=1", "WATCHDOG_PID=7", "WATCHDOG_USEC=100", "NOTIFY_SOCKET=/run/n"})
	if want := []string{"A=1", "WATCHDOG_USEC=100", "NOTIFY_SOCKET=/run/n"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
