//go:build unix

package main

import (
	"net"

	"afunix"

	"golang.org/x/sys/unix"
)

// takeSocket takes descriptor i, a socket, as a file: package net would make it one that does not
// wait (O_NONBLOCK), and it is its sender's, too. An end of the pipe transport is no file, and
// nobody else's.
func (a *arrival) takeSocket(r afunix.Rights, i int) {
	f, err := r.File(i)
	if err != nil {
		a.open(r, i)
		return
	}
	a.Closer = f
	if raw, err := f.SyscallConn(); err == nil {
		// Control fails if the file is closed, which it is not.
		_ = raw.Control(func(fd uintptr) { a.name = socketName(int(fd)) })
	}
}

// socketName describes a socket by its addresses, as far as it has any.
func socketName(fd int) string {
	local, _ := unix.Getsockname(fd)
	remote, err := unix.Getpeername(fd)
	if err != nil {
		remote = nil
	}
	return addresses(socketAddr(local), socketAddr(remote))
}

// socketAddr is an address as package net writes it; nil for one of a family that this does not
// know.
func socketAddr(sa unix.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *unix.SockaddrInet6:
		zone := ""
		if i, err := net.InterfaceByIndex(int(sa.ZoneId)); err == nil {
			zone = i.Name
		}
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port, Zone: zone}
	case *unix.SockaddrUnix:
		if sa.Name == "" {
			return &net.UnixAddr{Name: "@"}
		}
		return &net.UnixAddr{Name: sa.Name}
	}
	return nil
}
