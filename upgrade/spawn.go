package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// lastWords is how long a successor that has failed may take to say why and end by itself.
const lastWords = 2 * time.Second

// program and directory are what this process was started as, and where. Both are noted early: the
// directory may be changed, and the file replaced, after which Linux knows it by another name.
var program, directory = startedAs()

func startedAs() (program, directory string) {
	directory, err := os.Getwd()
	if err != nil {
		directory = "" // the new process then starts where this one is
	}
	return locate(os.Args[0]), directory
}

// locate returns the path of this process's program, by the name that the program was started with:
// the file at that path may be the next version tomorrow. A program in the current directory
// counts, because it has been asked for (ErrDot). If the program was started under a name that
// leads to no program, only its file is known (os.Executable).
func locate(name string) string {
	path, err := exec.LookPath(name)
	if err == nil || errors.Is(err, exec.ErrDot) {
		if path, err = filepath.Abs(path); err == nil {
			return path
		}
	}
	if path, err = os.Executable(); err == nil {
		return path
	}
	return name
}

func (cfg *Config) command() *exec.Cmd {
	if cfg.Command != nil {
		return cfg.Command()
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Dir = directory
	cmd.Env = environment(os.Environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// environment is the part of this process's environment that the successor sees. Without
// WATCHDOG_PID, the watchdog (sd_watchdog_enabled(3)) is for the process that serves. With it, the
// watchdog would be for the process that the service manager has started.
func environment(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "WATCHDOG_PID=") })
}

// Upgrade starts the program again, as it is on disk now, and returns nil when a successor has
// taken over. If Upgrade fails, this process goes on serving, and the new process has ended: by
// itself, or killed. A process that was started in another way may become the successor as well,
// and Upgrade then returns nil, too.
func (u *Upgrader) Upgrade(ctx context.Context) error {
	if err := u.upgrade(ctx); err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	return nil
}

func (u *Upgrader) upgrade(ctx context.Context) error {
	w, err := u.await()
	if err != nil {
		return err
	}
	defer u.awaitNothing()
	ctx, cancel := context.WithTimeoutCause(ctx, u.cfg.readyTimeout(),
		fmt.Errorf("the successor was not ready after %v: %w", u.cfg.readyTimeout(), context.DeadlineExceeded))
	defer cancel()
	if err := u.beFindable(ctx); err != nil {
		return err
	}
	cmd := u.cfg.command()
	child := &child{cmd: cmd, wait: cmd.Wait, exited: make(chan struct{})}
	if u.standing().managed {
		child.wait = asSibling(cmd)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go child.watch()
	u.expectOf(w, cmd.Process.Pid)

	select {
	case <-u.taken:
		return nil
	case err = <-w.failed:
		child.awaitLastWords()
	case <-child.exited:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-u.stopped.Done():
		err = fmt.Errorf("%w: this process ends", errCalledOff)
	}
	return u.callOff(child, w, err)
}

// A waiter waits for the failure of one particular process to take over. Of others it hears
// nothing.
type waiter struct {
	pid    int           // 0 before it has been started
	early  map[int]error // what has failed before
	failed chan error
}

// await makes this call of Upgrade the only one.
func (u *Upgrader) await() (*waiter, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case isPID1():
		return nil, ErrPID1
	case u.closed || !u.ready || u.successor != nil:
		return nil, ErrNotReady
	case u.awaited != nil || u.attempt != nil:
		return nil, ErrBusy
	}
	u.awaited = &waiter{early: make(map[int]error), failed: make(chan error, 1)}
	return u.awaited, nil
}

// expectOf makes w wait for process pid.
func (u *Upgrader) expectOf(w *waiter, pid int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	w.pid = pid
	if err := w.early[pid]; err != nil {
		w.failed <- err // has room for the first
	}
}

// failedOf tells Upgrade, if it waits for process pid, that this has failed.
func (u *Upgrader) failedOf(pid int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch w := u.awaited; {
	case w == nil:
	case w.pid == 0:
		w.early[pid] = err
	case w.pid == pid:
		select {
		case w.failed <- err:
		default: // it has failed before
		}
	}
}

func (u *Upgrader) awaitNothing() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.awaited = nil
}

// callOff ends the child, unless it has become the successor. cause is why; nil if it has ended by
// itself.
func (u *Upgrader) callOff(c *child, w *waiter, cause error) error {
	u.mu.Lock()
	a := u.attempt
	if a != nil && a.pid != c.cmd.Process.Pid {
		a = nil // somebody else's
	}
	if a != nil {
		a.calledOff = true
	}
	committed := a != nil && a.committed
	u.mu.Unlock()
	if committed {
		<-a.done // killed before, it could have begun to serve
	}
	select {
	case <-u.taken:
		return nil
	default:
	}
	status := c.end()
	if a != nil {
		<-a.done // so that the next upgrade is not turned away
	}
	if cause == nil {
		select {
		case cause = <-w.failed:
		default:
		}
	}
	switch {
	case cause == nil:
		return fmt.Errorf("the successor has ended before it was ready: %w", status)
	case status == nil || errors.Is(status, errKilled):
		return cause
	}
	return fmt.Errorf("%w (the successor has ended: %w)", cause, status)
}

// A child is a process that Upgrade has started.
type child struct {
	cmd    *exec.Cmd
	wait   func() error // returns when it has exited
	exited chan struct{}
	err    error // once it has exited
}

var errKilled = errors.New("killed")

// watch also takes care that a successor that outlives its success, but not this process, does not
// stay a zombie.
func (c *child) watch() {
	c.err = c.wait()
	close(c.exited)
}

func (c *child) awaitLastWords() {
	select {
	case <-c.exited:
	case <-time.After(lastWords):
	}
}

// end makes sure that the child has ended, and says how it has done so by itself.
func (c *child) end() error {
	select {
	case <-c.exited:
		if c.err == nil {
			return errors.New("exit status 0")
		}
		return c.err
	default:
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.exited
	return errKilled
}
