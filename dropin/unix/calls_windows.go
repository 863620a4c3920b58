package unix

import "afunix/dropin/syscall"

// Close closes a descriptor of any kind: a socket, a handle, an end of the pipe transport.
func Close(fd int) error { return syscall.Close(fd) }

// CloseOnExec makes a descriptor one that child processes do not inherit.
func CloseOnExec(fd int) { syscall.CloseOnExec(fd) }

// SetNonblock sets whether calls that name fd, an end of the pipe transport, may wait.
func SetNonblock(fd int, nonblocking bool) error { return syscall.SetNonblock(fd, nonblocking) }

// Read reads what there is, at least a byte unless it is the end.
func Read(fd int, p []byte) (n int, err error) { return syscall.Read(fd, p) }

// Write writes p.
func Write(fd int, p []byte) (n int, err error) { return syscall.Write(fd, p) }

// Sendto sends p as one message to an address, or to the peer if that is nil.
func Sendto(fd int, p []byte, flags int, to Sockaddr) (err error) {
	return syscall.Sendto(fd, p, flags, to)
}

// Send sends p as one message to the peer.
func Send(fd int, p []byte, flags int) (err error) { return syscall.Sendto(fd, p, flags, nil) }

// Recvfrom receives one message; descriptors that come with it are closed.
func Recvfrom(fd int, p []byte, flags int) (n int, from Sockaddr, err error) {
	return syscall.Recvfrom(fd, p, flags)
}

// Shutdown shuts down one side of a connection, or both.
func Shutdown(fd, how int) error { return syscall.Shutdown(fd, how) }

// Getsockname returns the name of a socket.
func Getsockname(fd int) (sa Sockaddr, err error) { return syscall.Getsockname(fd) }

// Getpeername returns the name of a socket's peer.
func Getpeername(fd int) (sa Sockaddr, err error) { return syscall.Getpeername(fd) }
