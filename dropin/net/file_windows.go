package net

import (
	"net"
	"os"

	"afunix/internal/descriptor"
	"afunix/internal/received"
	"afunix/internal/winsock"

	"golang.org/x/sys/windows"
)

// A socket that was received is bound to a completion port of somebody else's, and package net
// cannot take it. Package winsock can.

func fileConn(f *os.File) (Conn, error) {
	if c, err := net.FileConn(f); err == nil {
		return c, nil
	}
	return take(f, func(h windows.Handle, k descriptor.Kind) (Conn, error) {
		if k == descriptor.Datagram {
			return asNil[Conn](winsock.NewPacketConn(h))
		}
		return asNil[Conn](winsock.NewConn(h))
	})
}

func filePacketConn(f *os.File) (PacketConn, error) {
	if c, err := net.FilePacketConn(f); err == nil {
		return c, nil
	}
	return take(f, func(h windows.Handle, _ descriptor.Kind) (PacketConn, error) {
		return asNil[PacketConn](winsock.NewPacketConn(h))
	})
}

func fileListener(f *os.File) (Listener, error) {
	if l, err := net.FileListener(f); err == nil {
		return l, nil
	}
	return take(f, func(h windows.Handle, _ descriptor.Kind) (Listener, error) {
		return asNil[Listener](winsock.NewListener(h))
	})
}

// take gives a duplicate of the socket f to use, which owns it if it succeeds.
func take[T any](f *os.File, use func(windows.Handle, descriptor.Kind) (T, error)) (T, error) {
	got, err := received.Copy(f, func(v uintptr, k descriptor.Kind) (got T, _ error) {
		if !k.Socket() {
			return got, os.NewSyscallError("getsockopt", windows.WSAENOTSOCK)
		}
		return use(windows.Handle(v), k)
	})
	if err != nil {
		return got, fileError(f, err)
	}
	return got, nil
}

// asNil makes a nil interface of a nil pointer.
func asNil[I any, P any](p P, err error) (I, error) {
	if err != nil {
		var none I
		return none, err
	}
	return any(p).(I), nil
}
