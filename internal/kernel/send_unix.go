//go:build unix

package kernel

import (
	"net"
	"os"
	"sync"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/transport"

	"golang.org/x/sys/unix"
)

// A sending is one Send in progress. It is pooled together with the function that package net calls
// with the descriptor, so that sending makes no garbage.
type sending struct {
	message
	data    []byte // what has not been sent
	control int    // bytes of the control block, until it has been sent
	stream  bool
	sent    int
	err     error
	step    func(fd uintptr) bool
}

var sendings = sync.Pool{New: func() any {
	s := new(sending)
	s.step = s.send
	return s
}}

// Send makes one sendmsg of the message. If a stream takes only the beginning of b, then the files
// went with that, and the rest follows without any; no other Send or Write comes in between,
// because package net holds the socket's write lock meanwhile.
func (c *Conn) Send(b []byte, files []transport.File, to *net.UnixAddr) (int, error) {
	if len(files) > 0 && len(b) == 0 && c.network == stream {
		return 0, syscall.EINVAL // the kernel would discard them: row 15
	}
	for i, f := range files {
		if f.End != nil {
			return 0, &descriptor.IndexError{Index: i, Err: descriptor.ErrNotSendable}
		}
	}
	s := sendings.Get().(*sending)
	defer s.free()
	if err := s.setName(to); err != nil {
		return 0, err
	}
	s.data, s.stream = b, c.network == stream
	s.control = putRights(s.controlBytes(), files)
	err := inner(c.raw.Write(s.step))
	if err == nil {
		err = s.err
	}
	if err == syscall.EBADF {
		err = blame(files)
	}
	return s.sent, err
}

// send is called until it returns true, with time to wait for room in between.
func (s *sending) send(fd uintptr) bool {
	for {
		n, err := s.sendmsg(fd, s.data, s.control)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			s.err = err
			return true
		}
		s.sent += n
		s.data = s.data[n:]
		s.control = 0
		if !s.stream || len(s.data) == 0 {
			return true
		}
	}
}

func (s *sending) free() {
	s.clear()
	s.data, s.control, s.sent, s.err = nil, 0, 0, nil
	sendings.Put(s)
}

// blame says which of the files is not open, after the kernel said that one is not.
func blame(files []transport.File) error {
	for i, f := range files {
		if _, err := unix.FcntlInt(f.Value, unix.F_GETFD, 0); err != nil {
			return &descriptor.IndexError{Index: i, Err: os.NewSyscallError("sendmsg", err)}
		}
	}
	return syscall.EBADF // it was closed and opened again meanwhile
}
