//go:build unix

package bench

import (
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// netContender is package net, in the way that allocates least.
var netContender = Contender{
	Name:   Net,
	About:  "package net, *net.UnixConn; descriptors by WriteMsgUnix and ReadMsgUnix",
	Pair:   netPair,
	Listen: netListen,
	Dial: func(address string) (End, error) {
		c, err := net.Dial("unix", address)
		if err != nil {
			return nil, err
		}
		return newNetEnd(c), nil
	},
}

func netPair() (a, b End, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	first, second := os.NewFile(uintptr(fds[0]), ""), os.NewFile(uintptr(fds[1]), "")
	defer first.Close() // FileConn duplicates
	defer second.Close()
	x, err := net.FileConn(first)
	if err != nil {
		return nil, nil, err
	}
	y, err := net.FileConn(second)
	if err != nil {
		x.Close()
		return nil, nil, err
	}
	return newNetEnd(x), newNetEnd(y), nil
}

func netListen(dir string) (Listener, string, error) {
	path := filepath.Join(dir, Net)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, "", err
	}
	return netListener{l}, path, nil
}

type netListener struct{ net.Listener }

func (l netListener) Accept() (End, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newNetEnd(c), nil
}

// netEnd keeps the buffer for control messages, as a program that cares would.
type netEnd struct {
	*net.UnixConn
	control []byte
}

func newNetEnd(c net.Conn) *netEnd { return &netEnd{UnixConn: c.(*net.UnixConn)} }

func (e *netEnd) Pass(data []byte, cargo *Cargo) error {
	_, _, err := e.WriteMsgUnix(data, cargo.control, nil)
	return err
}

func (e *netEnd) Receive(buf []byte) (int, error) {
	if e.control == nil {
		e.control = make([]byte, unix.CmsgSpace(253*4))
	}
	_, n, _, _, err := e.ReadMsgUnix(buf, e.control)
	if err != nil || n == 0 {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(e.control[:n])
	if err != nil {
		return 0, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	return len(fds), nil
}
