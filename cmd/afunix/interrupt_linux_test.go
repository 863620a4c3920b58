package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix/internal/testenv"
)

// An interrupt leaves no socket behind, however long it takes to remove one.
func TestAnInterruptWaitsUntilTheSocketFileHasGone(t *testing.T) {
	for _, transport := range transports {
		for _, command := range []string{"recv", "cat -l"} {
			t.Run(transport.String()+"/"+command, func(t *testing.T) {
				dir := testenv.NewSlowDir(t)
				path := filepath.Join(dir.Dir, "s")
				var said strings.Builder
				cmd := exec.Command("afunix",
					append(strings.Fields(command), "--transport", transport.String(), path)...)
				cmd.Stderr = &said
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					_ = cmd.Wait() // how it has ended is looked at below
				}()
				defer func() {
					_ = cmd.Process.Kill() // fails if it has ended
					<-ended
				}()
				awaitFile(t, path)
				dir.Hold(path, ended)
				if err := cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
				select {
				case <-ended:
				case <-time.After(patience):
					t.Fatal("it goes on")
				}
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the socket file is there: %v", err)
				}
				if status := cmd.ProcessState.ExitCode(); status != statusFailure || !strings.HasSuffix(said.String(), ": interrupted\n") {
					t.Errorf("status %d, and %q", status, said.String())
				}
			})
		}
	}
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := os.Lstat(path); err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("no file %s", path)
		}
	}
}
