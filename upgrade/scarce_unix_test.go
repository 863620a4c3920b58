//go:build unix

package upgrade_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"afunix/internal/testenv"
	"afunix/upgrade"
)

func init() { children["scarce"] = scarce }

// scarce serves, and has no descriptor left until it is told on standard input that it may have
// some.
func scarce(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	failed := make(chan error, 100)
	u, err := upgrade.New(ctx, upgrade.Config{Address: args[0], Failed: func(err error) { failed <- err }})
	if err != nil {
		return err
	}
	defer u.Close()
	if err := u.Ready(ctx); err != nil {
		return err
	}
	restore, err := testenv.LeaveNoRoom()
	if err != nil {
		return err
	}
	fmt.Println("serves")
	select {
	case err := <-failed:
		fmt.Println(err)
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := restore(); err != nil {
		return err
	}
	select {
	case <-u.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A process that has no descriptor left when a successor calls says so, and attends to it when it
// has.
func TestNoDescriptorForTheSuccessor(t *testing.T) {
	at := address(t)
	cmd := child("scarce", at)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	u := start(t, upgrade.Config{Address: at}) // waits for the process to have a descriptor
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "too many open files") {
		t.Errorf("it says %q, %v", line, err)
	}
	ready(t, u)
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
