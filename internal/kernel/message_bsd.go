//go:build unix && !linux

package kernel

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"

	"afunix/internal/longpath"
)

// A message is what sendmsg and recvmsg take besides the data. Both are called through package
// unix, and so through the system's C library where that is the only way. It puts a byte of its own
// beside descriptors without data, and reads one into an empty buffer: rather than that, both are
// refused here.
type message struct {
	to      unix.Sockaddr // nil, or the destination
	from    unix.Sockaddr
	control controlBlock
}

func (m *message) controlBytes() []byte { return m.control.bytes() }

func (m *message) clear() { m.to, m.from = nil, nil }

func (m *message) setName(to *net.UnixAddr) error {
	if to == nil {
		return nil
	}
	if isAbstract(to.Name) {
		return errors.ErrUnsupported
	}
	if err := longpath.Check(to.Name); err != nil {
		return err
	}
	m.to = &unix.SockaddrUnix{Name: to.Name}
	return nil
}

// name returns the sender's name after recvmsg; nil if it has none.
func (m *message) name(network string) *net.UnixAddr {
	sa, ok := m.from.(*unix.SockaddrUnix)
	if !ok || sa.Name == "" || sa.Name == "@" {
		return nil
	}
	return &net.UnixAddr{Name: sa.Name, Net: network}
}

func (m *message) sendmsg(fd uintptr, data []byte, control int) (int, error) {
	if len(data) == 0 && control > 0 {
		return 0, errors.ErrUnsupported
	}
	return unix.SendmsgN(int(fd), data, m.controlBytes()[:control], m.to, dontWait)
}

// wantName has nothing to do: recvmsg always asks.
func (m *message) wantName() {}

// recvmsg returns the length of the control block, and the flags of the message. These systems do
// not install descriptors for MSG_PEEK, but show how the kernel keeps them; so a peek asks for
// none.
func (m *message) recvmsg(fd uintptr, data []byte, peek bool) (n, control, flags int, err error) {
	if peek {
		n, _, flags, m.from, err = unix.Recvmsg(int(fd), data, nil, unix.MSG_PEEK|dontWait)
		return n, 0, flags &^ unix.MSG_CTRUNC, err
	}
	if len(data) == 0 {
		return 0, 0, 0, errors.ErrUnsupported
	}
	n, control, flags, m.from, err = recvmsgCloexec(int(fd), data, m.controlBytes())
	return n, control, flags, err
}
