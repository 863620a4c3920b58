package linuxpipe

import (
	"io"

	"golang.org/x/sys/unix"

	"afunix/internal/sock"
)

// A binding is a socket that has a name and does not listen.
type binding struct{ fd int }

// Bind binds name.
func (System) Bind(name string, t sock.Type) (io.Closer, error) {
	sa, err := sockaddr(name, t)
	if err != nil {
		return nil, err
	}
	fd, err := newSocket()
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &binding{fd}, nil
}

// Close gives up the name. It may be called once.
func (b *binding) Close() error { return unix.Close(b.fd) }
