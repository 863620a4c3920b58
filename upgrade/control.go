package upgrade

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"afunix"
)

// A control is where the successor of this process calls. It listens under a name of its own until it is published at the
// Address, in one step: whoever dials there finds one process or the other.
type control struct {
	listener *afunix.Listener
	path     string // where its socket file is now
	address  string
}

func bindControl(ctx context.Context, cfg *Config) (*control, error) {
	if _, err := os.Lstat(cfg.Address); err == nil && !isSocketFile(cfg.Address) {
		return nil, &os.PathError{Op: "replace", Path: cfg.Address, Err: syscall.ENOTSOCK}
	}
	path := fmt.Sprintf("%s.%08x", cfg.Address, rand.Uint32())
	lc := afunix.ListenConfig{Transport: cfg.Transport, Mode: 0o600}
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would unlink the name that it was bound to
	return &control{listener: l, path: path, address: cfg.Address}, nil
}

// renameTries bounds how long publish tries. On Windows a file cannot be replaced while somebody reads it, as a dialler does.
const renameTries = 100

func (c *control) publish() error {
	for try := 1; ; try++ {
		err := os.Rename(c.path, c.address)
		if err == nil {
			c.path = c.address
			return nil
		}
		if try == renameTries || !errors.Is(err, os.ErrPermission) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// leave ends listening.
func (c *control) leave() error {
	if err := c.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// remove removes the socket file, which must not be the successor's already.
func (c *control) remove() error { return os.Remove(c.path) }
