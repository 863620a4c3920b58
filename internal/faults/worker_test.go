//go:build linux || windows

package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"afunix"
)

// A worker is a second process: the test binary again, which plays a part. The two speak in lines,
// on the worker's standard input and output; so they need no socket for what is said about sockets.

const errandVariable = "AFUNIX_FAULTS_ERRAND"

// An errand is what a worker is started with.
type errand struct {
	Part      string
	Transport afunix.Transport
	Network   string
	Path      string // of the socket
	Dials     bool   // or listens
	Flow      flow
	Messages  int
	Stepped   bool
	Step      int // if it is stepped: at which it is killed; 0: at none
}

// parts are what a worker can play; some systems have more.
var parts = map[string]func(h *household, e errand) error{
	"victim":   playVictim,
	"absentee": playAbsentee,
	"storm":    playStorm,
	"slow":     playSlow,
}

// A household is this process as a worker: how it speaks with its parent.
type household struct {
	in *bufio.Reader
	mu sync.Mutex // for out
}

// say says a line to the parent.
func (h *household) say(format string, args ...any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := fmt.Fprintf(os.Stdout, format+"\n", args...)
	return err
}

// hear returns the parent's next line.
func (h *household) hear() (string, error) {
	line, err := h.in.ReadString('\n')
	return strings.TrimSpace(line), err
}

// await expects a line of the parent.
func (h *household) await(want string) error {
	line, err := h.hear()
	if err == nil && line != want {
		err = fmt.Errorf("heard %q, not %q", line, want)
	}
	return err
}

// work is the main function of a worker. It returns its exit status.
func work(text string) int {
	var e errand
	err := json.Unmarshal([]byte(text), &e)
	if err == nil {
		err = parts[e.Part](&household{in: bufio.NewReader(os.Stdin)}, e)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "worker, as %s: %v\n", e.Part, err)
		return 1
	}
	return 0
}

// A worker is that process as its parent sees it.
type worker struct {
	cmd   *exec.Cmd
	in    *os.File
	lines chan string // closed when the worker has ended
	limit *time.Timer
	ended chan error // has one value: how it ended

	killed atomic.Bool // the code that waits does not mind how it ended
	over   bool        // its end has been waited for
}

// command returns a command that runs an errand, and the parent's ends of its standard input and
// output.
func (e errand) command() (cmd *exec.Cmd, in, out *os.File, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, nil, nil, err
	}
	cmd = exec.Command(self)
	cmd.Env = append(os.Environ(), errandVariable+"="+string(text), "GORACE=atexit_sleep_ms=0 halt_on_error=1")
	cmd.Stderr = os.Stderr
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		stdin.Close()
		in.Close()
		return nil, nil, nil, err
	}
	cmd.Stdin, cmd.Stdout = stdin, stdout
	return cmd, in, out, nil
}

// start starts a worker. It is killed when it has lasted far too long.
func (e errand) start() (*worker, error) { return e.startBy(plainly) }

// A starter starts a command, and returns how it can be waited for.
type starter func(cmd *exec.Cmd) (wait func() error, err error)

func plainly(cmd *exec.Cmd) (wait func() error, err error) { return cmd.Wait, cmd.Start() }

// startBy starts a worker that starter runs. Wine now and then cannot start a process, which says
// nothing about the test. Then startBy tries again, as scripts/test does.
func (e errand) startBy(s starter) (*worker, error) {
	for tries := 1; ; tries++ {
		w, err := e.tryStart(s)
		if err == nil || runtime.GOOS != "windows" || tries == 3 || !strings.Contains(err.Error(), "Internal error") {
			return w, err
		}
	}
}

func (e errand) tryStart(s starter) (*worker, error) {
	cmd, in, out, err := e.command()
	if err != nil {
		return nil, err
	}
	wait, err := s(cmd)
	cmd.Stdin.(*os.File).Close() // the worker has copies
	cmd.Stdout.(*os.File).Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	w := &worker{cmd: cmd, in: in, lines: make(chan string, 1<<16), ended: make(chan error, 1)}
	w.limit = time.AfterFunc(3*patience, func() { w.cmd.Process.Kill() })
	go w.listen(out, wait)
	return w, nil
}

// listen takes in what the worker says, until it has ended. So the worker never waits for its
// parent to listen.
func (w *worker) listen(out *os.File, wait func() error) {
	defer out.Close()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		w.lines <- lines.Text()
	}
	w.ended <- wait()
	close(w.lines)
}

// say says a line to the worker.
func (w *worker) say(line string) error {
	_, err := io.WriteString(w.in, line+"\n")
	return err
}

// hear returns the worker's next line; io.EOF if there is none, because it has ended.
func (w *worker) hear() (string, error) {
	select {
	case line, ok := <-w.lines:
		if !ok {
			return "", io.EOF
		}
		return line, nil
	case <-time.After(patience):
		return "", fmt.Errorf("worker %d says nothing: %w", w.cmd.Process.Pid, os.ErrDeadlineExceeded)
	}
}

// await expects a line of the worker.
func (w *worker) await(want string) error {
	line, err := w.hear()
	if err == nil && line != want {
		err = fmt.Errorf("the worker says %q, not %q", line, want)
	}
	if err != nil {
		return fmt.Errorf("waiting for %q: %w", want, err)
	}
	return nil
}

// kill ends the worker at once.
func (w *worker) kill() {
	w.killed.Store(true)
	w.cmd.Process.Kill() // fails only if it has ended
}

// rest returns what the worker has said until its end, which is waited for. It fails if the worker
// ended unhappily and was not killed.
func (w *worker) rest() (lines []string, err error) {
	for {
		line, err := w.hear()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	w.over = true
	w.limit.Stop()
	w.in.Close()
	if err := <-w.ended; err != nil && !w.killed.Load() {
		return lines, fmt.Errorf("worker: %w", err)
	}
	return lines, nil
}

// finish lets the worker end by itself, and expects that it has nothing more to say.
func (w *worker) finish() error {
	w.in.Close()
	lines, err := w.rest()
	if err == nil && len(lines) > 0 {
		err = fmt.Errorf("the worker also says %q", lines)
	}
	return err
}

// discard ends the worker, if that has not been waited for because something went wrong.
func (w *worker) discard() {
	if !w.over {
		w.kill()
		w.rest() // the error that matters is another
	}
}
