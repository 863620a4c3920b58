package afunix

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/errno"
	"afunix/internal/transport"
)

// Sendable is everything that has a descriptor: *[os.File], *[net.TCPConn], *[net.TCPListener],
// *[net.UDPConn], *[Conn], *[Listener], …
type Sendable interface {
	SyscallConn() (syscall.RawConn, error)
}

// Descriptor is a bare file descriptor or handle that the caller keeps open: for events, sections,
// processes, pidfds. What [Rights.Descriptor] returned is the caller's to close.
type Descriptor uintptr

// SyscallConn returns access to the descriptor itself. It has Control only: Read and Write, which
// would have to wait for I/O, fail.
func (d Descriptor) SyscallConn() (syscall.RawConn, error) { return rawDescriptor(d), nil }

// A rawDescriptor can only be looked at.
type rawDescriptor uintptr

// Control calls f with the descriptor.
func (d rawDescriptor) Control(f func(uintptr)) error {
	f(uintptr(d))
	return nil
}

// Read fails with errors.ErrUnsupported.
func (rawDescriptor) Read(func(uintptr) bool) error { return errors.ErrUnsupported }

// Write fails with errors.ErrUnsupported.
func (rawDescriptor) Write(func(uintptr) bool) error { return errors.ErrUnsupported }

// A loan holds the files of one message open while the message is sent: it calls the
// RawConn.Control of each file from within the Control of the file before. A loan is pooled
// together with the function that Control calls, so that the files cost no garbage but what they
// make themselves.
type loan struct {
	files []Sendable       // a copy, so that the caller's slice can stay on the stack
	lent  []transport.File // of files[:len(lent)]
	add   func(fd uintptr)

	conn transport.Conn
	data []byte
	to   *net.UnixAddr

	done bool // the message was sent, or cannot be: n and err are final
	n    int
	err  error
}

var loans = sync.Pool{New: func() any {
	l := &loan{files: make([]Sendable, 0, MaxRights), lent: make([]transport.File, 0, MaxRights)}
	l.add = l.addValue
	return l
}}

// lend sends data and files over conn. There are at most MaxRights files.
func lend(files []Sendable, conn transport.Conn, data []byte, to *net.UnixAddr) (int, error) {
	l := loans.Get().(*loan)
	defer l.free()
	l.files = append(l.files, files...)
	l.conn, l.data, l.to = conn, data, to
	l.next()
	return l.n, l.err
}

func (l *loan) free() {
	clear(l.files)
	clear(l.lent)
	*l = loan{files: l.files[:0], lent: l.lent[:0], add: l.add}
	loans.Put(l)
}

// next borrows the first file that is not yet lent, or sends when all are. When it returns, done is
// set.
func (l *loan) next() {
	if len(l.lent) == len(l.files) {
		l.n, l.err = l.conn.Send(l.data, l.lent, l.to)
		l.done = true
		return
	}
	switch f := l.files[len(l.lent)].(type) {
	case nil:
		l.fail(errno.EBADF)
	case Descriptor:
		l.addValue(uintptr(f))
	case *Conn:
		switch {
		case f == nil:
			l.fail(errno.EBADF)
		case f.Transport() == PipeTransport:
			l.addEnd(f.t)
		default:
			l.control(f.t)
		}
	case *Listener:
		switch {
		case f == nil:
			l.fail(errno.EBADF)
		case f.Transport() == PipeTransport:
			l.addEnd(f.t)
		default:
			l.control(f.t)
		}
	default:
		l.control(f)
	}
}

// control borrows f by way of its RawConn. If Control fails, or does not show a descriptor, there
// is no descriptor any more. (Package os has no exported name for its error.)
func (l *loan) control(f Sendable) {
	raw, err := f.SyscallConn()
	if err != nil {
		l.fail(err)
		return
	}
	_ = raw.Control(l.add)
	if !l.done {
		l.fail(errno.EBADF)
	}
}

// addValue is what Control calls. A Sendable that makes it do so twice does not send twice.
func (l *loan) addValue(fd uintptr) {
	if !l.done {
		l.lent = append(l.lent, transport.File{Value: fd})
		l.next()
	}
}

func (l *loan) addEnd(end any) {
	l.lent = append(l.lent, transport.File{End: end})
	l.next()
}

// fail ends the loan with the error of the file that could not be borrowed. A file that is closed,
// or nil, is EBADF, whatever error its package has for that.
func (l *loan) fail(err error) {
	if errors.Is(err, os.ErrClosed) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrInvalid) {
		err = errno.EBADF
	}
	l.err = &descriptor.IndexError{Index: len(l.lent), Err: err}
	l.done = true
}
