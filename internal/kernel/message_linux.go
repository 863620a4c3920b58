package kernel

import (
	"bytes"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"

	"afunix/internal/longpath"
)

// A message is what sendmsg and recvmsg take besides the data. It calls them by their numbers: the
// functions of package unix allocate, and put a byte of their own beside descriptors without data
// (rows 182, 183). Neither call waits, whatever O_NONBLOCK says: the open file description of a
// received socket may still be its sender's, too.
type message struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	addr    unix.RawSockaddrUnix
	control controlBlock
}

func (m *message) controlBytes() []byte { return m.control.bytes() }

// clear drops the pointers to the caller's memory.
func (m *message) clear() {
	m.hdr = unix.Msghdr{}
	m.iov = unix.Iovec{}
}

// set prepares the header for data and for a control block of length control.
func (m *message) set(data []byte, control int) {
	m.iov.Base = unsafe.SliceData(data)
	m.iov.SetLen(len(data))
	m.hdr.Iov = &m.iov
	m.hdr.SetIovlen(1)
	m.hdr.Control = nil
	if control > 0 {
		m.hdr.Control = &m.controlBytes()[0]
	}
	m.hdr.SetControllen(control)
}

// setName makes to the destination of sendmsg; nil is none. The name is what follows "@" for an
// abstract one.
func (m *message) setName(to *net.UnixAddr) error {
	if to == nil {
		return nil
	}
	if err := longpath.Check(to.Name); err != nil {
		return err
	}
	path := unsafe.Slice((*byte)(unsafe.Pointer(&m.addr.Path[0])), len(m.addr.Path))
	abstract := isAbstract(to.Name)
	n := copy(path, to.Name)
	if abstract {
		path[0] = 0
	} else if n > 0 {
		path[n] = 0
		n++
	}
	m.addr.Family = unix.AF_UNIX
	m.hdr.Name = (*byte)(unsafe.Pointer(&m.addr))
	m.hdr.Namelen = uint32(sizeofFamily + n)
	return nil
}

const sizeofFamily = 2 // of a sockaddr_un, before the path

// name returns the sender's name after recvmsg; nil if it has none. An abstract name is complete,
// with any NUL that is in it.
func (m *message) name(network string) *net.UnixAddr {
	n := min(int(m.hdr.Namelen), int(unsafe.Sizeof(m.addr))) - sizeofFamily // may be longer: row 79
	if n <= 0 {
		return nil
	}
	path := unsafe.Slice((*byte)(unsafe.Pointer(&m.addr.Path[0])), n)
	if path[0] == 0 {
		return &net.UnixAddr{Name: "@" + string(path[1:]), Net: network}
	}
	if end := bytes.IndexByte(path, 0); end >= 0 {
		path = path[:end]
	}
	return &net.UnixAddr{Name: string(path), Net: network}
}

func (m *message) sendmsg(fd uintptr, data []byte, control int) (int, error) {
	m.set(data, control)
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m.hdr)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// wantName makes recvmsg ask for the sender's name.
func (m *message) wantName() {
	m.hdr.Name = (*byte)(unsafe.Pointer(&m.addr))
	m.hdr.Namelen = uint32(unsafe.Sizeof(m.addr))
}

// recvmsg returns the length of the control block, and the flags of the message.
func (m *message) recvmsg(fd uintptr, data []byte, peek bool) (n, control, flags int, err error) {
	m.set(data, len(m.control)*8)
	flags = unix.MSG_CMSG_CLOEXEC | unix.MSG_DONTWAIT
	if peek {
		flags |= unix.MSG_PEEK
	}
	r, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&m.hdr)), uintptr(flags))
	if errno != 0 {
		return 0, 0, 0, errno
	}
	return int(r), int(m.hdr.Controllen), int(m.hdr.Flags), nil
}
