//go:build unix || windows

package kernel

import (
	"os"
	"syscall"
)

// ReadBuffer returns SO_RCVBUF.
func (c *Conn) ReadBuffer() (int, error) { return c.option(soRcvbuf) }

// WriteBuffer returns SO_SNDBUF.
func (c *Conn) WriteBuffer() (int, error) { return c.option(soSndbuf) }

// PendingError returns SO_ERROR, which the system then forgets.
func (c *Conn) PendingError() error {
	number, err := c.option(soError)
	if err == nil && number != 0 {
		err = translate(syscall.Errno(number))
	}
	return err
}

// option asks for an int of level SOL_SOCKET.
func (c *Conn) option(option int) (value int, err error) {
	var failed error
	if err := c.raw.Control(func(fd uintptr) { value, failed = getInt(fd, option) }); err != nil {
		return 0, inner(err)
	}
	return value, translate(os.NewSyscallError("getsockopt", failed))
}
