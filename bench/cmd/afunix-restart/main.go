// Command afunix-restart builds a new version of the example server and restarts it, again and
// again, under load, and says what the clients have seen. It is started in the folder bench:
//
//	go run ./cmd/afunix-restart                  # on this system
//	go run ./cmd/afunix-restart -os windows      # on Wine, with the clients on Linux
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"afunix/examples/restart/load"

	"github.com/schollz/progressbar/v3"
)

// patience bounds how long a server may take to serve, and to finish its work.
const patience = 2 * time.Minute

var (
	restarts  = flag.Int("restarts", 100, "how often the server is restarted")
	keepAlive = flag.Int("keepalive", 250, "clients that keep their connection")
	fresh     = flag.Int("fresh", 150, "clients that make a new connection for each request")
	pause     = flag.Duration("pause", 200*time.Millisecond, "of each client between two requests, on average")
	goos      = flag.String("os", runtime.GOOS, "linux, or windows for Wine")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx); err != nil {
		log.Fatal(err)
	}
}

func measure(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "restart")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := measurement{dir}
	s, err := m.launch(ctx, 0)
	if err != nil {
		return err
	}
	defer func() { s.end() }()
	run := load.Load{Address: s.address, KeepAlive: *keepAlive, Fresh: *fresh, Pause: *pause}.Start()
	begin := time.Now()
	bar := progressbar.NewOptions(*restarts, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(),
		progressbar.OptionSetDescription("restarts"), progressbar.OptionClearOnFinish())
	for version := 1; version <= *restarts; version++ {
		next, err := m.launch(ctx, version)
		if err != nil {
			run.Stop()
			return err
		}
		former := s
		s = next
		if err := former.finish(); err != nil {
			run.Stop()
			return fmt.Errorf("version %d: %w", version-1, err)
		}
		stats := run.Stats()
		bar.Describe(fmt.Sprintf("%d requests, %d lost, %d refused; restarts", stats.Requests,
			stats.Lost, stats.Refused))
		if err := bar.Add(1); err != nil {
			return err
		}
	}
	took := time.Since(begin)
	return report(took, run.Stop())
}

func report(took time.Duration, s load.Stats) error {
	fmt.Printf("%s: %d restarts in %v, each with a new build; %d clients that keep their connection, %d that do not\n",
		*goos, *restarts, took.Round(time.Second), *keepAlive, *fresh)
	fmt.Printf("%d requests answered by %d versions, the slowest in %v, on %d connections\n",
		s.Requests, len(s.Versions), s.Slowest.Round(time.Millisecond), s.Connections)
	fmt.Printf("%d requests lost, %d connections refused, %d times a client was asked to connect anew\n", s.Lost, s.Refused, s.Closing)
	if s.Lost+s.Refused > 0 {
		return errors.New(strings.Join(s.Errors, "\n"))
	}
	return nil
}

// listenAddress is the same for all versions, or none would take over from the one before: the
// first one chooses a port.
const listenAddress = "127.0.0.1:0"

// A measurement is where everything that it needs is kept.
type measurement struct{ dir string }

// A server is a process of one version.
type server struct {
	cmd     *exec.Cmd
	binary  string
	address string
}

// launch builds a version, starts it, and returns when it serves.
func (m measurement) launch(ctx context.Context, version int) (*server, error) {
	binary := filepath.Join(m.dir, fmt.Sprintf("restart-%d.exe", version))
	build := exec.CommandContext(ctx, "go", "build", "-ldflags",
		fmt.Sprintf("-X main.version=%d", version), "-o", binary, "afunix/examples/restart")
	build.Env = append(os.Environ(), "GOOS="+*goos, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w: %s", err, out)
	}
	cmd := exec.CommandContext(ctx, binary, "-listen", listenAddress, "-control", "restart.sock")
	if *goos != runtime.GOOS {
		wine, err := filepath.Abs("../scripts/wine-exec")
		if err != nil {
			return nil, err
		}
		cmd = exec.CommandContext(ctx, wine, cmd.Args...)
	}
	cmd.Dir = m.dir
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, binary: binary}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("version %d does not serve: %w", version, errors.Join(err, cmd.Wait()))
	}
	go io.Copy(io.Discard, out)
	_, s.address, _ = strings.Cut(strings.TrimSpace(line), " serves at ")
	return s, nil
}

// finish waits for a server to finish its work, which another one has taken over.
func (s *server) finish() error {
	late := time.AfterFunc(patience, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	return errors.Join(s.cmd.Wait(), os.Remove(s.binary))
}

// end ends the last one.
func (s *server) end() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}
