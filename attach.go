package afunix

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"afunix/internal/kernel"
	"afunix/internal/transport"
)

// inheritedVariable tells a child process which ends it has inherited: a list of bequests, in JSON.
const inheritedVariable = "AFUNIX_INHERITED"

// A bequest is what a child is told of one end.
type bequest struct {
	Name  string
	Value uintptr // the descriptor, in the child
	Mark  uint64  `json:",omitempty"` // by which the child knows that it is the right one
	Pipe  bool    `json:",omitempty"` // of the pipe transport
	State []byte  `json:",omitempty"` // of an end of the pipe transport
}

// inheritance is what this process has inherited. It is taken over when the program starts, before it can have started others: they
// would inherit the descriptors, and take the variable for theirs.
var inheritance = takeInheritance()

type heir struct {
	mu       sync.Mutex
	bequests map[string]bequest
	err      error // why there are none
}

func takeInheritance() *heir {
	h := &heir{bequests: make(map[string]bequest)}
	text, ok := os.LookupEnv(inheritedVariable)
	if !ok {
		return h
	}
	list, err := parseBequests(text)
	if err == nil {
		err = os.Unsetenv(inheritedVariable)
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

func parseBequests(text string) (list []bequest, err error) {
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%s: %w", inheritedVariable, err)
	}
	return list, nil
}

// Inherited returns the end that the process which started this one has attached under the name. Each can be had once. If there is none,
// errors.Is(err, [io/fs.ErrNotExist]) holds.
func Inherited(name string) (*Conn, error) {
	t, err := inheritance.claim(name)
	if err != nil {
		return nil, operation{op: "inherit", addr: &net.UnixAddr{Name: name, Net: "inherited"}, call: "fstat"}.wrap(err)
	}
	return newConn(t, t.LocalAddr().Net), nil
}

func (h *heir) claim(name string) (transport.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, ok := h.bequests[name]
	switch {
	case h.err != nil:
		return nil, h.err
	case !ok:
		return nil, syscall.ENOENT
	}
	delete(h.bequests, name)
	if b.Pipe {
		return inheritPipe(b.Value, b.State)
	}
	return inheritKernel(b.Value)
}

// AttachTo gives c, an end of a pair, to the child process that cmd will start, which gets it from [Inherited] by the name. Here c
// can then only be closed: do so after cmd.Start, whether or not that has succeeded. No other process gets it, not even one that is
// started at the same moment.
//
// The variable that tells the child is added to cmd.Env, so cmd.Env must not be replaced afterwards, nor ExtraFiles be reordered. A
// child that is not a Go program with this package can still use an end of the kernel transport, by its descriptor number.
//
// Only an end of a pair can be attached, or a connection: a datagram socket of the pipe transport that has a name is
// [errors.ErrUnsupported]. A name that has been attached to cmd already is EEXIST; an end of the pipe transport on which descriptors, or more than a few KiB
// of data, wait to be read, ETOOMANYREFS or EMSGSIZE. Over the pipe transport AttachTo waits until the peer has taken note, up to the write
// deadline of c. An error means that c is still what it was.
//
// Both ends of a pair can be attached, in any order and before either child has been started. What
// is done to the other end until then waits for nobody; but descriptors can only go to a process:
// over the pipe transport a WriteMsg with files waits for the child, for ten seconds at most, and
// then fails with EAGAIN. So does AttachTo of an end that has come here while its peer waited, and
// that this process has written to since.
func (c *Conn) AttachTo(cmd *exec.Cmd, name string) error {
	return c.operation("attach", "dup").wrap(c.attachTo(cmd, name))
}

func (c *Conn) attachTo(cmd *exec.Cmd, name string) error {
	list, err := bequestsOf(cmd.Env)
	if err != nil {
		return err
	}
	for _, b := range list {
		if b.Name == name {
			return syscall.EEXIST
		}
	}
	if cmd.Process != nil || name == "" {
		return syscall.EINVAL // it has been started
	}
	e, err := c.leave()
	if err != nil {
		return err
	}
	b := bequest{Name: name, Pipe: e.state != nil, State: e.state}
	text, err := json.Marshal(append(list, e.legacy.attach(cmd, b)))
	if err != nil {
		panic(err) // numbers and texts
	}
	cmd.Env = append(cmd.Environ(), inheritedVariable+"="+string(text))
	c.attached.Store(e.legacy)
	e.done()
	return nil
}

// bequestsOf returns what has been attached to a command with the environment env.
func bequestsOf(env []string) ([]bequest, error) {
	for i := len(env) - 1; i >= 0; i-- { // the last one counts
		if text, ok := strings.CutPrefix(env[i], inheritedVariable+"="); ok {
			return parseBequests(text)
		}
	}
	return nil, nil
}

// An estate is an end that is about to be attached.
type estate struct {
	legacy *legacy // a duplicate of its descriptor, for the child
	state  []byte  // of an end of the pipe transport
	done   func()  // ends what this process has of the end, but for the duplicate
}

func (c *Conn) leave() (estate, error) {
	if k, ok := c.t.(*kernel.Conn); ok {
		return leaveKernel(k)
	}
	return leavePipe(c.t)
}
