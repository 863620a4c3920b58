package descriptor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// A user's own file system answers what it is asked when it likes (fuse(4)): nothing that is asked
// about a stranger's descriptor may wait for that.
func TestAFileSystemThatDoesNotAnswerHoldsUpNothing(t *testing.T) {
	fs := testenv.MountFUSE(t)
	f, err := os.Open(filepath.Join(fs.Dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	fs.Silent.Store(true)
	defer func() { fs.Silent.Store(false); f.Close() }()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		raw.Control(func(fd uintptr) {
			fits, err := System.Matches(fd, File)
			if fits2, _ := System.Matches(fd, Directory); !fits || fits2 {
				t.Errorf("it is a file: %v, a directory: %v", fits, fits2)
			}
			done <- err
		})
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Matches waits for an answer")
		fs.Unmount()
	}
}
