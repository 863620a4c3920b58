//go:build windows || (linux && afunix_pipe)

package net

import (
	"net"

	"afunix/dropin/internal/ends"
	"afunix/internal/locks"
)

// What a connection or listener owns refers to neither, so that the collector notices when they are
// dropped. Then it closes this.
type owned struct {
	ref *ends.Ref
	raw lazyFD
}

func (o *owned) close() error { return o.raw.close(o.ref.Close) }

// drop is close for the collector, which has one goroutine for all: close may wait.
func (o *owned) drop() { go o.close() }

// fd returns the descriptor for those who ask for one.
func (o *owned) fd() (int, error) { return o.raw.get(o.ref) }

// A lazyFD is a descriptor that a connection or listener has for those who ask for its SyscallConn.
type lazyFD struct {
	mu     locks.Mutex[locks.LazyFD]
	fd     int
	open   bool
	closed bool
}

// get returns the descriptor, which does not wait, as those of package net do not.
func (l *lazyFD) get(r *ends.Ref) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return -1, net.ErrClosed
	case l.open:
		return l.fd, nil
	}
	fd, err := r.NewFD()
	if err != nil {
		return -1, err
	}
	l.fd, l.open = fd, true
	return fd, ends.SetNonblock(fd, true)
}

// close closes the descriptor for good, and then the file that has it. Calls that ask for the
// descriptor meanwhile, or close it, wait for that.
func (l *lazyFD) close(owner func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		_, _ = ends.Close(l.fd)
	}
	l.open, l.closed = false, true
	return owner()
}
