// Package inherit takes sockets to child processes. A socket's descriptor goes by the system's own
// means. What else the child has to know of the socket goes by its environment.
package inherit

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"afunix/internal/errno"
	"afunix/internal/locks"
)

// variable tells a child process which sockets it has inherited: a list of bequests, in JSON.
const variable = "AFUNIX_INHERITED"

// maxState bounds the state of a socket, which has to fit into an environment beside everything
// else (32,767 characters on Windows).
const maxState = 8 << 10

// A Bequest is what a child is told of one socket.
type Bequest struct {
	Name  string  // under which the child asks for it
	Value uintptr // the descriptor, in the child
	Mark  uint64  `json:",omitempty"` // by which the child knows that it is the right one
	Pipe  bool    `json:",omitempty"` // of the pipe transport
	State []byte  `json:",omitempty"` // see transport.Transport.Inherit
}

// inheritance is what this process has inherited. It is taken over when the program starts, before
// it can have started others: they would inherit the descriptors, and take the variable for theirs.
var inheritance = takeInheritance()

type heir struct {
	mu       locks.Mutex[locks.Heir]
	bequests map[string]Bequest
	err      error // why there are none
}

func takeInheritance() *heir {
	h := &heir{bequests: make(map[string]Bequest)}
	text, ok := os.LookupEnv(variable)
	if !ok {
		return h
	}
	list, err := parse(text)
	if err == nil {
		err = os.Unsetenv(variable)
	}
	if err != nil {
		h.err = err
		return h
	}
	for _, b := range list {
		if secure(b) {
			h.bequests[b.Name] = b
		}
	}
	return h
}

func parse(text string) (list []Bequest, err error) {
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return list, nil
}

// Claim returns what this process has inherited under the name. Each can be had once: ENOENT.
func Claim(name string) (Bequest, error) {
	h := inheritance
	h.mu.Lock()
	defer h.mu.Unlock()
	b, ok := h.bequests[name]
	switch {
	case h.err != nil:
		return Bequest{}, h.err
	case !ok:
		return Bequest{}, syscall.ENOENT
	}
	delete(h.bequests, name)
	return b, nil
}

// A Will is a command to which something is to be attached.
type Will struct {
	cmd  *exec.Cmd
	name string
	list []Bequest // what has been attached to it already
}

// NewWill returns the will by which something called name is attached to cmd. EEXIST: something of
// that name is attached already. EINVAL: cmd has been started, or name is empty.
func NewWill(cmd *exec.Cmd, name string) (*Will, error) {
	list, err := bequestsOf(cmd.Env)
	if err != nil {
		return nil, err
	}
	for _, b := range list {
		if b.Name == name {
			return nil, syscall.EEXIST
		}
	}
	if cmd.Process != nil || name == "" {
		return nil, syscall.EINVAL
	}
	return &Will{cmd, name, list}, nil
}

// bequestsOf returns what has been attached to a command with the environment env.
func bequestsOf(env []string) ([]Bequest, error) {
	for i := len(env) - 1; i >= 0; i-- { // the last one counts
		if text, ok := strings.CutPrefix(env[i], variable+"="); ok {
			return parse(text)
		}
	}
	return nil, nil
}

// Bequeath makes the command hand a duplicate of fd down, and tells the child. The caller closes
// the duplicate once the command has been started, or is not to be. EMSGSIZE: the state is too
// long. An error means that nothing has changed.
func (w *Will) Bequeath(fd uintptr, pipe bool, state []byte) (*Legacy, error) {
	if len(state) > maxState {
		return nil, errno.EMSGSIZE
	}
	l, err := newLegacy(fd)
	if err != nil {
		return nil, err
	}
	b := l.attach(w.cmd, Bequest{Name: w.name, Pipe: pipe, State: state})
	text, err := json.Marshal(append(w.list, b))
	if err != nil {
		panic(err) // numbers and texts
	}
	w.cmd.Env = append(w.cmd.Environ(), variable+"="+string(text))
	return l, nil
}
