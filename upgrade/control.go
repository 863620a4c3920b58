package upgrade

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"

	"afunix"
	"afunix/internal/errno"
	"afunix/internal/sockfile"
)

// A control is where the successor of this process connects. It listens under a name of its own
// until it is published at the Address, in one step. So a process that dials the Address finds one
// process or the other.
type control struct {
	cfg      *Config
	listener *afunix.Listener
	path     string // where its socket file is now
	id       string // of that
}

func bindControl(ctx context.Context, cfg *Config) (*control, error) {
	if _, err := os.Lstat(cfg.Address); err == nil && !sockfile.IsSocket(cfg.Address) {
		return nil, &os.PathError{Op: "replace", Path: cfg.Address, Err: errno.ENOTSOCK}
	}
	removeLeftovers(cfg.Address)
	l, path, err := listenBeside(ctx, cfg)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it would unlink the name that it was bound to
	c := &control{cfg: cfg, listener: l, path: path}
	if c.id, err = sockfile.ID(path); err != nil {
		return nil, errors.Join(err, c.end())
	}
	return c, nil
}

// bindTries bounds how many names are tried. A short one may be somebody else's.
const bindTries = 100

// listenBeside listens under a name of its own in the directory of the address.
func listenBeside(ctx context.Context, cfg *Config) (l *afunix.Listener, path string, err error) {
	lc := afunix.ListenConfig{Transport: cfg.Transport, Mode: 0o600}
	if cfg.Authorize != nil {
		lc.Mode = 0o666 // it is to decide, not the file
	}
	for range bindTries {
		if path = beside(cfg.Address, longest(cfg.Address), rand.Uint32()); path == cfg.Address {
			err = &os.PathError{Op: "find a name beside", Path: path, Err: errno.EADDRINUSE}
			continue
		}
		l, err = lc.Listen(ctx, "unix", path)
		if !errors.Is(err, errno.EADDRINUSE) {
			break
		}
	}
	return l, path, err
}

// file is that at which c can be found.
func (c *control) file() socketFile {
	return socketFile{Path: []byte(absolute(c.path)), ID: []byte(c.id)}
}

// publish puts c at the address, if check, when it is not nil, has no objection: nobody else
// publishes anything meanwhile.
func (c *control) publish(ctx context.Context, check func(context.Context) error) error {
	return c.cfg.exclusively(ctx, func() error {
		if check != nil {
			if err := check(ctx); err != nil {
				return err
			}
		}
		if err := replace(c.path, c.cfg.Address); err != nil {
			return err
		}
		c.path = c.cfg.Address
		return nil
	})
}

// leave ends listening.
func (c *control) leave() error {
	if err := c.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// end is leave, and removes the socket file, unless another process has put its own there.
func (c *control) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), helloTimeout)
	defer cancel()
	err := c.cfg.exclusively(ctx, func() error { return sockfile.Unlink(c.path, c.id) })
	return errors.Join(err, c.leave())
}

// exclusively runs f while no other process with this Address does the like. What it guards takes a
// moment: replacing a socket file whose owner is dead, or is this process.
func (cfg *Config) exclusively(ctx context.Context, f func() error) error {
	return sockfile.Exclusively(ctx, cfg.Address, f)
}
