//go:build linux || windows

package ends

import (
	"io"
	"net"
	"syscall"

	"afunix"
)

// What follows is for the system calls of packages dropin/syscall and dropin/unix: errors are
// errnos.

// Flags of a socket's type, with the values of Linux (bits/socket_type.h).
const (
	SockNonblock = 0x800
	SockCloexec  = 0x80000
)

var networks = map[int]string{
	syscall.SOCK_STREAM: "unix", syscall.SOCK_DGRAM: "unixgram", syscall.SOCK_SEQPACKET: "unixpacket",
}

// Socketpair is socketpair(2) of the pipe transport. The numbers are never inherited by child
// processes, whatever typ says.
func Socketpair(typ, proto int) (fds [2]int, err error) {
	network, ok := networks[typ&^(SockNonblock|SockCloexec)]
	if !ok {
		return fds, syscall.ESOCKTNOSUPPORT
	}
	if proto != 0 && proto != syscall.AF_UNIX { // PF_UNIX is allowed (net/unix/af_unix.c of Linux)
		return fds, syscall.EPROTONOSUPPORT
	}
	a, b, err := afunix.PipeTransport.Pair(network)
	if err != nil {
		return fds, Errno(err)
	}
	for i, c := range []*afunix.Conn{a, b} {
		r := NewConn(c)
		fds[i], err = r.NewFD()
		_ = r.Close() // the number is a reference of its own
		if err == nil && typ&SockNonblock != 0 {
			err = SetNonblock(fds[i], true)
		}
		if err != nil {
			if i > 0 {
				_, _ = Close(fds[0])
			} else {
				_ = b.Close()
			}
			return [2]int{}, Errno(err)
		}
	}
	return fds, nil
}

// Recvmsg is recvmsg(2) of the reference that fd is.
func (r *Ref) Recvmsg(fd int, p, oob []byte, flags int) (Received, error) {
	got, err := r.recv(p, oob, flags, limitOf(fd, &r.readLimit))
	if err == io.EOF {
		err = nil
	}
	return got, Errno(err)
}

// Sendmsg is sendmsg(2) of the reference that fd is; to is where a datagram goes, or empty.
// Descriptors that the kernel would reject are EBADF.
func (r *Ref) Sendmsg(fd int, p, oob []byte, to string, flags int) (int, error) {
	var addr *net.UnixAddr
	if to != "" {
		addr = &net.UnixAddr{Name: to, Net: r.Network()}
	}
	n, err := r.send(p, oob, addr, flags, limitOf(fd, &r.writeLimit))
	if n > 0 {
		err = nil // the next call will tell
	}
	return n, Errno(err)
}

// Shutdown is shutdown(2); how is SHUT_RD, SHUT_WR or SHUT_RDWR.
func (r *Ref) Shutdown(how int) error {
	if r.Conn == nil {
		return syscall.EOPNOTSUPP
	}
	if how < shutRead || how > shutBoth {
		return syscall.EINVAL
	}
	return Errno(r.Do(func() error {
		if how != shutRead {
			if err := r.Conn.CloseWrite(); err != nil {
				return err
			}
		}
		if how != shutWrite {
			return r.Conn.CloseRead()
		}
		return nil
	}))
}

// The ways of shutdown(2).
const (
	shutRead = iota
	shutWrite
	shutBoth
)

// ReadFD is read(2) of the reference that fd is. Descriptors that come are closed (row 18).
func (r *Ref) ReadFD(fd int, p []byte) (int, error) {
	got, err := r.Recvmsg(fd, p, nil, 0)
	return got.N, err
}

// WriteFD is write(2) of the reference that fd is.
func (r *Ref) WriteFD(fd int, p []byte) (int, error) { return r.Sendmsg(fd, p, nil, "", 0) }

// Name returns what package syscall makes of what getsockname(2) returns: "@" for a socket without
// a name.
func (r *Ref) Name() string {
	if r.Listener != nil {
		return r.Listener.Addr().String()
	}
	return r.Conn.LocalAddr().String()
}

// PeerName returns what getpeername(2) does.
func (r *Ref) PeerName() (string, error) {
	if r.Conn == nil || r.Conn.RemoteAddr() == nil {
		return "", syscall.ENOTCONN
	}
	return r.Conn.RemoteAddr().String(), nil
}
