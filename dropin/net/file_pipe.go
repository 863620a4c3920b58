//go:build windows || (linux && afunix_pipe)

package net

import (
	"net"
	"os"
	"syscall"

	"afunix/dropin/internal/ends"
)

// FileConn returns a copy of the network connection corresponding to the open file f. One of the
// pipe transport is a *UnixConn. It is the caller's responsibility to close f when finished.
// Closing c does not affect f, and closing f does not affect c.
func FileConn(f *os.File) (c Conn, err error) {
	ref := lookup(f)
	switch {
	case ref == nil:
		return fileConn(f)
	case ref.Conn == nil:
		return nil, fileError(f, os.NewSyscallError("getpeername", syscall.ENOTCONN))
	}
	return unixConn(ref.NewRef(), false), nil
}

// FilePacketConn returns a copy of the packet network connection corresponding to the open file f.
// One of the pipe transport is a *UnixConn.
func FilePacketConn(f *os.File) (c PacketConn, err error) {
	ref := lookup(f)
	switch {
	case ref == nil:
		return filePacketConn(f)
	case ref.Conn == nil:
		return nil, fileError(f, syscall.EINVAL)
	}
	return unixConn(ref.NewRef(), false), nil
}

// FileListener returns a copy of the network listener corresponding to the open file f. One of the
// pipe transport is a *UnixListener, which does not remove the socket file when it is closed.
func FileListener(f *os.File) (ln Listener, err error) {
	ref := lookup(f)
	switch {
	case ref == nil:
		return fileListener(f)
	case ref.Listener == nil:
		return nil, fileError(f, os.NewSyscallError("listen", syscall.EINVAL))
	}
	return unixListener(ref.NewRef()), nil
}

// lookup returns the end that f is a descriptor of; nil if it is none, or f is closed, of which
// package net says what it thinks.
func lookup(f *os.File) (ref *ends.Ref) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) { ref, _ = ends.Lookup(int(fd)) })
	return ref
}

// fileError has the shape that package net gives it.
func fileError(f *os.File, err error) error {
	return &net.OpError{Op: "file", Net: "file+net", Addr: fileAddr(f.Name()), Err: err}
}

type fileAddr string

func (fileAddr) Network() string  { return "file+net" }
func (a fileAddr) String() string { return string(a) }
