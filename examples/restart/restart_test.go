package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix/examples/restart/load"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

const versionVariable = "AFUNIX_TEST_VERSION"

// TestMain is also main of the servers, each of which is told by the environment which version it
// is.
func TestMain(m *testing.M) {
	version = os.Getenv(versionVariable)
	if version == "" {
		leaktest.Main(m)
	}
	main()
	os.Exit(0)
}

const (
	patience = 30 * time.Second
	restarts = 20
)

// A server is a process that serves.
type server struct {
	cmd     *exec.Cmd
	address string
}

// launch starts a version of the server and returns when it serves.
func launch(t *testing.T, version int, address, control string) *server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-listen", address, "-control", control)
	cmd.Env = append(os.Environ(), fmt.Sprint(versionVariable, "=", version), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = patience
	// A pipe of our own is there until the test ends. That of exec.Cmd would end with this process,
	// though its successor may write to it, too.
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd.Stdout = in
	err = cmd.Start()
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("version %d does not serve: %v", version, cmd.Wait())
	}
	go io.Copy(io.Discard, out)
	_, at, _ := strings.Cut(strings.TrimSpace(line), " serves at ")
	return &server{cmd, at}
}

// expectExit waits for the server to finish its work.
func (s *server) expectExit(t *testing.T) {
	t.Helper()
	late := time.AfterFunc(patience, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("a server that was replaced: %v", err)
	}
}

// expectSeen waits until a client has had an answer of the version: on a machine that does much
// else, it could be replaced before.
func expectSeen(t *testing.T, run *load.Run, version int) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for run.Stats().Versions[fmt.Sprint("version ", version)] == 0 {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("no client has seen version %d", version)
		}
	}
}

func TestRestartsUnderLoadLoseNothing(t *testing.T) {
	control := filepath.Join(testenv.TempDir(t), "restart.sock")
	s := launch(t, 0, "127.0.0.1:0", control)
	run := load.Load{Address: s.address, KeepAlive: 120, Fresh: 100, Pause: 200 * time.Millisecond}.Start()
	expectSeen(t, run, 0)
	begin := time.Now()
	for version := range restarts {
		next := launch(t, version+1, "127.0.0.1:0", control)
		if next.address != s.address {
			t.Errorf("version %d serves at %s, not %s", version+1, next.address, s.address)
		}
		s.expectExit(t)
		s = next
		expectSeen(t, run, version+1)
	}
	took := time.Since(begin)
	stats := run.Stop()
	s.cmd.Process.Kill()
	s.cmd.Wait()
	t.Logf("%d restarts in %v: %d requests on %d connections, the slowest %v; %d times a connection had to be made again",
		restarts, took.Round(time.Millisecond), stats.Requests, stats.Connections, stats.Slowest.Round(time.Millisecond), stats.Closing)
	if stats.Lost != 0 || stats.Refused != 0 {
		t.Errorf("%d requests lost, %d connections refused: %s", stats.Lost, stats.Refused,
			strings.Join(stats.Errors, "\n"))
	}
	if len(stats.Versions) != restarts+1 {
		t.Errorf("the clients have seen %d versions: %v", len(stats.Versions), stats.Versions)
	}
}
