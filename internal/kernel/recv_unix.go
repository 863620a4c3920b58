//go:build unix

package kernel

import (
	"io"
	"sync"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/transport"

	"golang.org/x/sys/unix"
)

// A receiving is one Recv in progress, pooled like a sending.
type receiving struct {
	message
	data    []byte
	peek    bool
	n       int
	control int // bytes of the control block
	flags   int // MSG_CTRUNC, MSG_TRUNC
	err     error
	step    func(fd uintptr) bool
}

var receivings = sync.Pool{New: func() any {
	r := new(receiving)
	r.step = r.recv
	return r
}}

// Recv makes one recvmsg.
func (c *Conn) Recv(b []byte, peek bool) (transport.Message, error) {
	r := receivings.Get().(*receiving)
	defer r.free()
	r.data, r.peek = b, peek
	if c.network == dgram {
		r.wantName()
	}
	err := inner(c.raw.Read(r.step))
	if err == nil {
		err = r.err
	}
	if err != nil {
		return transport.Message{}, err
	}
	m := transport.Message{N: r.n}
	m.Rights, m.Credentials = parseControl(r.controlBytes()[:r.control])
	if c.network == dgram {
		m.From = r.name(dgram)
	}
	m.Truncated = c.network != stream && r.flags&unix.MSG_TRUNC != 0
	switch {
	case r.flags&unix.MSG_CTRUNC != 0:
		// There is always room for a full set, so what did not fit is this process's table: all or
		// nothing (P3).
		m.Rights.Close()
		m.Rights = nil
		return m, descriptor.ErrRightsTruncated
	case r.n == 0 && len(b) > 0 && c.network != dgram && !c.emptyRecord(m):
		return transport.Message{}, io.EOF
	}
	return m, nil
}

// emptyRecord reports whether a message without data is a record. Only what comes with it tells
// such a record from the end, which unix_dgram_recvmsg reports without looking at a message.
func (c *Conn) emptyRecord(m transport.Message) bool {
	return m.Rights != nil || m.Credentials != nil && c.network == packet
}

// recv is called until it returns true, with time to wait for a message in between.
func (r *receiving) recv(fd uintptr) bool {
	for {
		r.n, r.control, r.flags, r.err = r.recvmsg(fd, r.data, r.peek)
		switch r.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		return true
	}
}

func (r *receiving) free() {
	r.clear()
	r.data, r.err = nil, nil
	receivings.Put(r)
}
