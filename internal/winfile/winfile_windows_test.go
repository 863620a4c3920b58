package winfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/testenv"
)

// write makes a file, which may be read-only.
func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// hold opens a file and lets others do with it meanwhile what share says.
func hold(t *testing.T, path string, share uint32) (letGo func()) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Open(name, windows.GENERIC_READ, share)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	letGo = func() {
		if !closed {
			windows.CloseHandle(h)
		}
		closed = true
	}
	t.Cleanup(letGo)
	return letGo
}

// asOpen is what os.Open lets others do.
const asOpen = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE

// afterAttempts calls f when somebody has tried three times.
func afterAttempts(t *testing.T, f func()) {
	t.Helper()
	attempts := 0
	Busy = func() {
		if attempts++; attempts == 3 {
			f()
		}
	}
	t.Cleanup(func() { Busy = func() {} })
}

func expectContent(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); string(got) != want || err != nil {
		t.Errorf("%s: %q, %v; want %q", filepath.Base(path), got, err, want)
	}
}

func expectNoFile(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v; want no file", filepath.Base(path), err)
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "file")
	if err := Remove(path, []byte("x"), nil); err != nil {
		t.Errorf("no file: %v", err)
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		write(t, path, "x", mode)
		hold(t, path, ShareAll)
		if err := Remove(path, []byte("x"), nil); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
		expectNoFile(t, path)
	}
}

func TestRemoveLeavesAnotherFile(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "file")
	for _, content := range []string{"", "another", "x and more", "y"} {
		write(t, path, content, 0o600)
		if err := Remove(path, []byte("x"), nil); err != nil {
			t.Errorf("%q: %v", content, err)
		}
		expectContent(t, path, content)
	}
}

func TestRemoveWhileSomebodyHasItOpen(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "file")
	write(t, path, "x", 0o600)
	letGo := hold(t, path, asOpen)
	if err := Remove(path, []byte("x"), nil); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("for ever: %v, want EBUSY", err)
	}
	expectContent(t, path, "x")
	if err := Remove(path, []byte("x"), []byte("-")); err != nil {
		t.Errorf("for ever, and it may be written: %v", err)
	}
	expectContent(t, path, "-")
	if err := Remove(path, []byte("x"), []byte("?")); err != nil {
		t.Errorf("another file: %v", err)
	}
	expectContent(t, path, "-")
	write(t, path, "x", 0o600)
	afterAttempts(t, letGo)
	if err := Remove(path, []byte("x"), nil); err != nil {
		t.Errorf("for a moment: %v", err)
	}
	expectNoFile(t, path)
}

func TestReplace(t *testing.T) {
	for _, mode := range []fs.FileMode{0, 0o600, 0o400} {
		dir := testenv.TempDir(t)
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		write(t, from, "new", 0o600)
		if mode != 0 {
			write(t, to, "old", mode)
		}
		if err := Replace(from, to); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
		expectContent(t, to, "new")
		expectNoFile(t, from)
	}
}

func TestReplaceWhileSomebodyHasOneOfThemOpen(t *testing.T) {
	for _, held := range []string{"from", "to"} {
		t.Run(held, func(t *testing.T) {
			dir := testenv.TempDir(t)
			from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
			write(t, from, "new", 0o600)
			write(t, to, "old", 0o600)
			letGo := hold(t, filepath.Join(dir, held), asOpen)
			if err := Replace(from, to); !errors.Is(err, syscall.EBUSY) {
				t.Errorf("for ever: %v, want EBUSY", err)
			}
			expectContent(t, from, "new")
			expectContent(t, to, "old")
			afterAttempts(t, letGo)
			if err := Replace(from, to); err != nil {
				t.Errorf("for a moment: %v", err)
			}
			expectContent(t, to, "new")
			expectNoFile(t, from)
		})
	}
}

// What is not there is said at once.
func TestReplaceWithNothing(t *testing.T) {
	dir := testenv.TempDir(t)
	Busy = func() { t.Error("it waits") }
	t.Cleanup(func() { Busy = func() {} })
	if err := Replace(filepath.Join(dir, "from"), filepath.Join(dir, "to")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestReadWhileSomebodyLetsNobody(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "file")
	write(t, path, "content", 0o600)
	letGo := hold(t, path, 0)
	if _, err := Read(path, 100); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("for ever: %v, want EBUSY", err)
	}
	afterAttempts(t, letGo)
	if got, err := Read(path, 4); string(got) != "cont" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
