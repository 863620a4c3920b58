//go:build unix || windows

package sockfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"afunix/internal/testchild"
	"afunix/internal/testenv"
)

func init() {
	children["has the turn"] = func(args []string) error {
		return Exclusively(context.Background(), args[0], func() error {
			fmt.Println("it is this process's turn")
			_, err := bufio.NewReader(os.Stdin).ReadByte()
			return err
		})
	}
}

// The turn of a process that is killed is over, whatever that has left.
func TestTheTurnOfADeadProcess(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "s")
	cmd := testchild.Command(t.Context(), "has the turn", path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer late.Stop()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := Exclusively(ctx, path, func() error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another process has the turn: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := Exclusively(ctx, path, func() error { return nil }); err != nil {
		t.Errorf("that process is dead: %v", err)
	}
	if _, err := os.Lstat(path + ".lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock's file: %v", err)
	}
}

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
