//go:build unix || windows

package sockfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"afunix/internal/testenv"
)

// There is one lock at a time. Its file goes with it, and no file of anybody else's.
func TestTheLockHarmsNoFile(t *testing.T) {
	dir := testenv.TempDir(t)
	path, mine, other := filepath.Join(dir, "a.lock"), filepath.Join(dir, "b.lock"), filepath.Join(dir, "other")
	for _, p := range []string{mine, other} {
		if err := os.WriteFile(p, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{path, mine} {
		unlock, err := lock(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock(p); !errors.Is(err, errLocked) {
			t.Errorf("locked twice: %v", err)
		}
		unlock()
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock's file: %v", err)
	}
	link := filepath.Join(dir, "c.lock")
	if err := os.Symlink(other, link); err == nil {
		if unlock, err := lock(link); err == nil {
			unlock()
		}
		os.Remove(link)
	}
	for _, p := range []string{mine, other} {
		if text, err := os.ReadFile(p); string(text) != "text" || err != nil {
			t.Errorf("%s: %q, %v", p, text, err)
		}
		os.Remove(p)
	}
}
