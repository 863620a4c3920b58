package conformance

import (
	"context"
	"io"
	"os"
	"os/exec"
)

// run runs a second process to its end.
func (e *env) run(cmd *exec.Cmd) {
	e.Helper()
	e.check(cmd.Run())
}

// A helper is a second process that lives until it is told to end.
type helper struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// start starts a second process, which ends when its standard input does.
func (e *env) start(cmd *exec.Cmd) *helper {
	e.Helper()
	in, err := cmd.StdinPipe()
	e.check(err)
	e.check(cmd.Start())
	return &helper{cmd, in}
}

func (h *helper) end(e *env) {
	e.Helper()
	h.in.Close()
	e.check(h.cmd.Wait())
}

// openSelf opens the program's own file: one that is there on every system.
func openSelf() (*os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(self)
}

var background = context.Background()
