package linuxpipe

import "golang.org/x/sys/unix"

// A Binding is a name of a socket that does not listen. Whoever dials it gets ECONNREFUSED.
type Binding struct{ fd int }

// Bind binds address, a path or an abstract name. A socket file stays.
func Bind(address string, socketType uint8) (*Binding, error) {
	sa, err := sockaddr(address, socketType)
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
	return &Binding{fd}, nil
}

// Close gives up the name. It may be called once.
func (b *Binding) Close() error { return unix.Close(b.fd) }
