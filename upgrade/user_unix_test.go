//go:build unix

package upgrade_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/upgrade"
)

const nobody = 65534

// timeLimit is for children, which end soon after it.
func timeLimit() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	time.AfterFunc(patience, cancel)
	return ctx
}

func init() { children["anybody"] = anybody }

// anybody takes over from any process that it finds.
func anybody(args []string) error {
	u, err := upgrade.New(timeLimit(), upgrade.Config{
		Address:   args[0],
		Authorize: func(afunix.Credentials) error { return nil },
	})
	if err != nil {
		return err
	}
	defer u.Close()
	l, err := u.Listen(timeLimit(), "echo", "tcp", local)
	if err != nil {
		return err
	}
	if err := u.Ready(timeLimit()); err != nil {
		return err
	}
	c, err := l.Accept()
	if err != nil {
		return err
	}
	io.WriteString(c, fmt.Sprint("user ", os.Getuid()))
	return c.Close()
}

// asNobody runs this program as a user without any rights, in a directory where everybody may do
// everything.
func asNobody(t *testing.T, at string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	dir := filepath.Dir(at)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := child("anybody", at)
	binary, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = filepath.Join(dir, "program")
	if err := os.WriteFile(cmd.Path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

func TestAnotherUserMayNotTakeOver(t *testing.T) {
	cfg, _ := withFailures(t)
	cmd := asNobody(t, cfg.Address)
	_, addr := serving(t, cfg, "first")
	for _, everybodyMayCall := range []bool{false, true} {
		if everybodyMayCall { // if it were not for the socket file
			if err := os.Chmod(cfg.Address, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		again := *cmd
		again.Stderr = new(bytes.Buffer)
		err := again.Run()
		want := "permission denied"
		if everybodyMayCall {
			want = "not of the same user"
		}
		if said := fmt.Sprint(again.Stderr); err == nil || !strings.Contains(said, want) {
			t.Errorf("it says %q, and ends with %v; want %q", said, err, want)
		}
	}
	expectGreeting(t, "tcp", addr, "first")
}

func TestAnotherUserMayTakeOverIfAuthorizeSaysSo(t *testing.T) {
	cfg, _ := withFailures(t)
	cmd := asNobody(t, cfg.Address)
	cfg.Authorize = func(peer afunix.Credentials) error {
		if peer.UID != nobody {
			return fmt.Errorf("user %d", peer.UID)
		}
		return nil
	}
	first, addr := serving(t, cfg, "first")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	expectDone(t, first)
	if got := greeting(t, "tcp", addr); got != "user 65534" {
		t.Errorf("it says %q", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
