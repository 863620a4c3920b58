package linuxpipe

import (
	"net"

	"golang.org/x/sys/unix"

	"afunix/internal/locks"
	"afunix/internal/pipe"
)

// A spare is a descriptor that is kept back, so that a client can be told when this process has
// none left.
type spare struct {
	mu     locks.Mutex[locks.Spare]
	fd     int // none if there is none
	closed bool
}

const none = -1

// keep keeps one back, if that is possible.
func (s *spare) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd != none || s.closed {
		return
	}
	if fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC); err == nil {
		s.fd = fd
	}
}

// spend makes room for another one.
func (s *spare) spend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd != none {
		unix.Close(s.fd)
		s.fd = none
	}
}

func (s *spare) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.spend()
}

// Shed accepts a client although this process is out of descriptors: see pipe.Shedder.
func (l *Listener) Shed() (pipe.Pipe, error) {
	l.spare.spend()
	var fd int
	var errno error
	if l.raw.Control(func(s uintptr) { fd, errno = l.acceptNow(s) }) != nil {
		return nil, net.ErrClosed
	}
	if errno != nil {
		return nil, errno
	}
	return newPipe(fd)
}

// Replenish keeps a descriptor back for the next one.
func (l *Listener) Replenish() { l.spare.keep() }
