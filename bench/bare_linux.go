package bench

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// bareContender is the message pipe of the pipe transport with no protocol.
var bareContender = Contender{
	Name:   Bare,
	About:  "SOCK_SEQPACKET in an os.File, no protocol; descriptors by hand, with pidfd_getfd",
	Pair:   barePair,
	Listen: bareListen,
	Dial: func(address string) (End, error) {
		c, err := net.Dial("unixpacket", address)
		if err != nil {
			return nil, err
		}
		return bareEnd(c)
	},
}

// bareBuffer is what the pipe transport asks for: enough that a writer of 64 KiB messages seldom
// waits.
const bareBuffer = 1 << 19

func barePair() (a, b End, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, bareBuffer))
	}
	if err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return handPair(os.NewFile(uintptr(fds[0]), "bare"), os.NewFile(uintptr(fds[1]), "bare"))
}

func bareListen(dir string) (Listener, string, error) {
	path := filepath.Join(dir, Bare)
	l, err := net.Listen("unixpacket", path)
	if err != nil {
		return nil, "", err
	}
	return bareListener{l}, path, nil
}

type bareListener struct{ net.Listener }

func (l bareListener) Accept() (End, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return bareEnd(c)
}

// bareEnd takes the socket away from package net.
func bareEnd(c net.Conn) (End, error) {
	defer c.Close()
	u := c.(*net.UnixConn)
	if err := u.SetWriteBuffer(bareBuffer); err != nil {
		return nil, err
	}
	f, err := u.File()
	if err != nil {
		return nil, err
	}
	return handOne(io.ReadWriteCloser(f))
}
