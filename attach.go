package afunix

import (
	"net"
	"os/exec"

	"afunix/internal/inherit"
	"afunix/internal/transport"
)

// Inherited returns the end that the parent process has attached under the name ([Conn.AttachTo]).
// Each end can be had once. If there is none, errors.Is(err, [io/fs.ErrNotExist]) holds.
func Inherited(name string) (*Conn, error) {
	t, err := inherited(name)
	if err != nil {
		return nil, operation{op: "inherit", addr: &net.UnixAddr{Name: name, Net: "inherited"}, call: "fstat"}.wrap(err)
	}
	return newConn(t, t.LocalAddr().Net), nil
}

func inherited(name string) (transport.Conn, error) {
	b, err := inherit.Claim(name)
	if err != nil {
		return nil, err
	}
	of := KernelTransport
	if b.Pipe {
		of = PipeTransport
	}
	return of.carrier().Inherit(b.Value, b.State)
}

// AttachTo gives c, an end of a pair, to the child process that cmd will start. The child gets the
// end from [Inherited] by the name. In this process c can then only be closed: do so after
// cmd.Start, whether or not that has succeeded. No other process gets the end, not even one that is
// started at the same moment.
//
// The variable that tells the child is added to cmd.Env, so cmd.Env must not be replaced
// afterwards, nor ExtraFiles be reordered. A child that is not a Go program with this package can
// still use an end of the kernel transport, by its descriptor number.
//
// Only an end of a pair, or a connection, can be attached. A datagram socket of the pipe transport
// that has a name is [errors.ErrUnsupported]. A name that has been attached to cmd already is
// EEXIST. If descriptors wait to be read from an end of the pipe transport, AttachTo fails with
// ETOOMANYREFS, and with EMSGSIZE if more than a few KiB of data do. Over the pipe transport
// AttachTo waits until the peer has taken note, up to the write deadline of c. An error means that
// c is still what it was.
//
// Both ends of a pair can be attached, in any order and before either child has been started. Until
// then calls on the other end do not wait for the child, with two exceptions. Over the pipe
// transport descriptors can only go to a process, so a WriteMsg with files waits for the child, for
// ten seconds at most, and then fails with EAGAIN. So does AttachTo of an end that came to this
// process while its peer waited for a child, and that this process has written to since.
func (c *Conn) AttachTo(cmd *exec.Cmd, name string) error {
	return c.operation("attach", "dup").wrap(c.attachTo(cmd, name))
}

func (c *Conn) attachTo(cmd *exec.Cmd, name string) error {
	will, err := inherit.NewWill(cmd, name)
	if err != nil {
		return err
	}
	return c.t.HandDown(func(fd uintptr, state []byte) error {
		legacy, err := will.Bequeath(fd, c.Transport() == PipeTransport, state)
		if err == nil {
			c.attached.Store(legacy)
		}
		return err
	})
}
