package linuxpipe

import (
	"golang.org/x/sys/unix"

	"afunix/internal/pipe"
	"afunix/internal/sockfile"
)

// OpenPipe makes a pipe of an end that another process has handed on. Here both sides are alike.
func (System) OpenPipe(v uintptr, _ bool) (pipe.Pipe, error) {
	fd := int(v)
	if !isMessagePipe(fd) {
		unix.Close(fd)
		return nil, unix.EPROTO
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return newPipe(fd)
}

// OpenSource goes on with what Suspend has returned, here or elsewhere.
func (System) OpenSource(descriptors []uintptr, state []byte) (pipe.Source, error) {
	fd := int(descriptors[0])
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 || !isMessagePipe(fd) || len(descriptors) != 1 || len(state) < 2 || state[0] > 1 {
		for _, v := range descriptors {
			unix.Close(int(v))
		}
		return nil, unix.EPROTO
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	name := string(state[1:])
	l, err := newListener(fd, name, sockfile.Received(name))
	if err != nil {
		return nil, err
	}
	l.shared = true
	l.SetUnlinkOnClose(state[0] == 1)
	return l, nil
}

func isMessagePipe(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return false
	}
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && typ == unix.SOCK_SEQPACKET
}
