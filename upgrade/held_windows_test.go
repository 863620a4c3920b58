package upgrade_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"afunix/internal/testenv"
	"afunix/internal/winfile"
	"afunix/upgrade"
)

// protect makes a file read-only.
func protect(t *testing.T, path string) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err == nil {
		err = windows.SetFileAttributes(name, windows.FILE_ATTRIBUTE_READONLY|windows.FILE_ATTRIBUTE_SYSTEM)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hold opens a file as most programs do: nobody can remove it, until it is let go.
func hold(t *testing.T, path string) (letGo func()) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return func() { f.Close() }
}

// holdForAMoment is hold, until somebody has tried three times.
func holdForAMoment(t *testing.T, path string) {
	t.Helper()
	letGo := hold(t, path)
	attempts := 0
	winfile.Busy = func() {
		if attempts++; attempts == 3 {
			letGo()
		}
	}
	t.Cleanup(func() {
		winfile.Busy = func() {}
		if attempts < 3 {
			t.Errorf("it was in the way of %d attempts", attempts)
		}
	})
}

func expectNoFile(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v; want no file", path, err)
	}
}

// The file at the Address may be read-only.
func TestAddressWhoseFileIsReadOnly(t *testing.T) {
	testAddressInUse(t, protect)
}

// It may be open in a program that lets it be removed. Wine does not replace a file that anybody
// has open.
func TestAddressWhoseFileIsReadByABackup(t *testing.T) {
	testenv.NeedWindows(t, "no renaming with POSIX semantics")
	testAddressInUse(t, holdSharing)
}

// testAddressInUse sees that an upgrade goes through, and Close, after use of the Address's file.
func testAddressInUse(t *testing.T, use func(t *testing.T, path string)) {
	cfg, _ := withFailures(t)
	first, addr := serving(t, cfg, "first")
	use(t, cfg.Address)
	second, _ := serving(t, cfg, "second")
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "second")
	use(t, cfg.Address)
	if err := second.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	expectNoFile(t, cfg.Address)
}

// holdSharing opens a file as a program does that cares about others.
func holdSharing(t *testing.T, path string) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := winfile.Open(name, windows.GENERIC_READ, winfile.ShareAll)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.CloseHandle(h) })
}

// While a program has the Address's file open as os.Open does, a successor waits a moment for that
// to end.
func TestAddressWhoseFileIsHeldForAMoment(t *testing.T) {
	cfg, _ := withFailures(t)
	first, addr := serving(t, cfg, "first")
	second, _ := preparing(t, cfg, "second")
	holdForAMoment(t, cfg.Address)
	ready(t, second)
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "second")
	holdForAMoment(t, cfg.Address)
	if err := second.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	expectNoFile(t, cfg.Address)
}

// If it does not end, the successor says what is the matter, leaves nothing behind, and the
// predecessor serves on. Once it has ended, the next one succeeds.
func TestAddressWhoseFileIsHeldForEver(t *testing.T) {
	cfg, failed := withFailures(t)
	cfg.Command = func() *exec.Cmd { return child("serve", "third", cfg.Address) }
	first, addr := serving(t, cfg, "first")
	second, _ := preparing(t, cfg, "second")
	letGo := hold(t, cfg.Address)
	if err := second.Ready(within(t)); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("Ready: %v, want EBUSY", err)
	}
	second.Close()
	failed.expect(t)
	expectGreeting(t, "tcp", addr, "first")
	if err := first.Upgrade(within(t)); err == nil {
		t.Error("Upgrade succeeds")
	}
	expectGreeting(t, "tcp", addr, "first")
	expectNothingBeside(t, cfg.Address)
	letGo()
	if err := first.Upgrade(within(t)); err != nil {
		t.Fatal(err)
	}
	expectDone(t, first)
	expectGreeting(t, "tcp", addr, "third")
	last, _ := serving(t, upgrade.Config{Address: cfg.Address}, "last") // and the child leaves
	last.Close()
}

// expectNothingBeside expects no other file in the directory.
func expectNothingBeside(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Errorf("there is %s", e.Name())
		}
	}
}

// A process that closes while its file is held leaves one at which nobody is found. It is in
// nobody's way once it is let go.
func TestCloseWhileTheFileIsHeldForEver(t *testing.T) {
	cfg, _ := withFailures(t)
	first, _ := serving(t, cfg, "first")
	letGo := hold(t, cfg.Address)
	if err := first.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	next, _ := preparing(t, cfg, "next")
	if err := next.Ready(within(t)); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("Ready while it is held: %v, want EBUSY", err)
	}
	next.Close()
	letGo()
	_, addr := serving(t, cfg, "last")
	expectGreeting(t, "tcp", addr, "last")
}

// A dead process has left the file of a socket. Its path can be listened at, even if another
// program has the file open as os.Open does, and if the file is read-only.
func TestStaleSocketFileThatIsInUse(t *testing.T) {
	for name, use := range map[string]func(t *testing.T, path string){
		"read-only":         protect,
		"held for a moment": holdForAMoment,
		"held for ever":     func(t *testing.T, path string) { hold(t, path) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := withFailures(t)
			path := filepath.Join(testenv.TempDir(t), "web")
			deadSocket(t, cfg, path)
			use(t, path)
			u, l := webServer(t, cfg, path, "word")
			defer l.Close()
			ready(t, u)
			expectGreeting(t, "unix", path, "word")
		})
	}
}
