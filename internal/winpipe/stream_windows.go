package winpipe

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/cred"
)

// A Stream is one end of a pipe to another program, as a stream of bytes: the client's end of a
// pipe of that program, or the server's of a public pipe of ours, which is one of bytes. Errors are
// plain: an errno, io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, errors.ErrUnsupported.
//
// A pipe of bytes is read and written by Go's poller, and holds no thread. It has no half-close.
//
// In a pipe of messages the boundaries mean nothing, but a message without a byte is the end of the
// stream. That is what go-winio, and so Docker, takes it for. Such a pipe is read message by
// message: a read by bytes would go past an empty message without a word. And it is read with an
// event, at the cost of a thread for each Read that waits, because a message that is longer than
// the buffer is a warning to the system (ERROR_MORE_DATA). For a warning the system posts to the
// completion port what Go's poller does not expect there.
//
// An end that another process has had is read and written with events, too, as every such end: see
// [foreign].
type Stream struct {
	file     streamFile
	raw      syscall.RawConn
	origin   origin
	messages *messages // nil: a pipe of bytes
	closed   atomic.Bool
	ended    atomic.Bool // CloseWrite has been called
}

// OpenStream connects to the server of the pipe \\.\pipe\NAME. If all instances are taken, it
// waits for another one until ctx ends; or for five seconds, if ctx has no deadline, and fails with
// EAGAIN then. ENOENT: there is no such pipe.
func OpenStream(ctx context.Context, name string) (*Stream, error) {
	h, err := openFree(ctx, name)
	if err != nil {
		return nil, err
	}
	owner, err := ownerOf(h, windows.SE_KERNEL_OBJECT)
	if err != nil {
		windows.CloseHandle(h)
		return nil, err
	}
	return newStream(h, newOrigin(h, false, owner))
}

// openFree opens an instance as soon as one is free.
func openFree(ctx context.Context, name string) (windows.Handle, error) {
	path, err := windows.UTF16PtrFromString(device + name)
	if err != nil {
		return 0, syscall.EINVAL
	}
	_, bounded := ctx.Deadline()
	for start := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		h, err := openClientEnd(path)
		switch err {
		case nil:
			return h, nil
		case windows.ERROR_PIPE_BUSY:
		case windows.ERROR_FILE_NOT_FOUND:
			return 0, syscall.ENOENT
		default:
			return 0, errno(err)
		}
		if !bounded && time.Since(start) > busyLimit {
			return 0, syscall.EAGAIN
		}
		waitNamedPipe(path, uint32(busySlice.Milliseconds())) // whatever comes of it, opening tells
	}
}

// newStream makes a Stream of h, which it owns from now on, even if it fails.
func newStream(h windows.Handle, from origin) (*Stream, error) {
	reads, err := newMessages(h)
	if err != nil {
		windows.CloseHandle(h)
		return nil, err
	}
	s := &Stream{origin: from, messages: reads}
	if from.late {
		var f *eventFile
		if f, err = newEventFile(h); err == nil {
			s.file, s.raw = f, rawConn(f.control)
		}
	} else {
		var e *polled
		if e, err = newPolled(h); err == nil {
			s.file, s.raw = e.file, e.raw
		}
	}
	if err != nil {
		reads.close()
		return nil, errno(err)
	}
	return s, nil
}

// A streamFile is what a Stream is read and written by: an *os.File, or an [eventFile].
type streamFile interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Peer returns the process that serves the pipe, or that has connected to it, and its user: see
// [origin.other].
func (s *Stream) Peer() (who cred.Credentials, sure bool, err error) {
	used := s.raw.Control(func(fd uintptr) { who, sure, err = s.origin.other(windows.Handle(fd)) })
	if used != nil {
		return cred.Credentials{}, false, net.ErrClosed
	}
	return who, sure, err
}

// Read reads as net.Conn says.
func (s *Stream) Read(b []byte) (int, error) {
	switch {
	case s.closed.Load():
		return 0, net.ErrClosed
	case len(b) == 0:
		return 0, nil
	case s.messages != nil:
		n, err := s.messages.read(s.raw, b)
		return n, s.readError(err)
	}
	for {
		n, err := s.file.Read(b)
		if err == io.EOF && s.goesOn() {
			continue // somebody has written nothing
		}
		return n, s.readError(err)
	}
}

// goesOn reports whether the other end is still open.
func (s *Stream) goesOn() bool {
	var available uint32
	err := net.ErrClosed
	s.raw.Control(func(fd uintptr) { err = peekNamedPipe(windows.Handle(fd), nil, 0, nil, &available, nil) })
	return err == nil
}

// readError gives an error of reading the form that callers expect. A pipe that its server has
// disconnected has ended like one that its server has closed.
func (s *Stream) readError(err error) error {
	if err = s.plain(err); err == syscall.EPIPE {
		return io.EOF
	}
	return err
}

// plain takes off what package os puts around an error.
func (s *Stream) plain(err error) error {
	var system syscall.Errno
	switch {
	case err == nil || err == io.EOF:
		return err
	case s.closed.Load() || errors.Is(err, os.ErrClosed):
		return net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.As(err, &system):
		return errno(system)
	}
	return err
}

// Write writes all of b, unless it fails. In a pipe of messages b is one. Of nothing no message is
// made, which would be the end of the stream.
func (s *Stream) Write(b []byte) (int, error) {
	switch {
	case s.closed.Load():
		return 0, net.ErrClosed
	case s.ended.Load():
		return 0, syscall.EPIPE
	case len(b) == 0:
		return 0, nil
	}
	n, err := s.file.Write(b)
	return n, s.plain(err)
}

// CloseWrite writes the end of the stream. A pipe of bytes knows none: errors.ErrUnsupported.
func (s *Stream) CloseWrite() error {
	switch {
	case s.closed.Load():
		return net.ErrClosed
	case s.messages == nil:
		return errors.ErrUnsupported
	case s.ended.Swap(true):
		return nil
	}
	_, err := s.file.Write(nil)
	return s.plain(err)
}

// CloseRead is not possible: the other end cannot be told.
func (s *Stream) CloseRead() error { return errors.ErrUnsupported }

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline sets the deadline of Read, also of a call that waits.
func (s *Stream) SetReadDeadline(t time.Time) error {
	if s.messages == nil {
		return s.plain(s.file.SetReadDeadline(t))
	}
	if s.closed.Load() {
		return net.ErrClosed
	}
	s.messages.setDeadline(t)
	return nil
}

// SetWriteDeadline sets the deadline of Write, also of a call that waits.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.plain(s.file.SetWriteDeadline(t)) }

// SyscallConn gives access to the handle.
func (s *Stream) SyscallConn() (syscall.RawConn, error) { return s.raw, nil }

// Close closes this end. What was written stays in the pipe for the other end to read, whichever
// end this is: only DisconnectNamedPipe, which nobody here calls, would discard it. So there is
// nothing to flush, and Close waits for nobody. Calls that wait return net.ErrClosed.
func (s *Stream) Close() error {
	if s.closed.Swap(true) {
		return net.ErrClosed
	}
	if s.messages != nil {
		s.messages.stop()
	}
	err := s.file.Close() // waits for calls that use the handle
	if s.messages != nil {
		s.messages.close()
	}
	return s.plain(err)
}

// messages reads a pipe of messages as a stream.
type messages struct {
	half
	ended bool // an empty message has come; under turn
}

// newMessages returns nil for a pipe of bytes.
func newMessages(h windows.Handle) (*messages, error) {
	var flags uint32
	if err := windows.GetNamedPipeInfo(h, &flags, nil, nil, nil); err != nil {
		return nil, errno(err)
	}
	if flags&windows.PIPE_TYPE_MESSAGE == 0 {
		return nil, nil
	}
	if err := readMessages(h); err != nil {
		return nil, errno(err)
	}
	m := new(messages)
	return m, m.open()
}

// close is called when nothing reads any more.
func (m *messages) close() {
	if m != nil {
		m.half.close()
	}
}

// read reads from a message, or the rest of one, as much as b takes.
func (m *messages) read(raw syscall.RawConn, b []byte) (n int, err error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.ended {
		return 0, io.EOF
	}
	if raw.Control(func(fd uintptr) { n, err = m.do(m.io.read, windows.Handle(fd), b) }) != nil {
		return 0, net.ErrClosed
	}
	switch {
	case err == windows.ERROR_MORE_DATA:
		return n, nil
	case err == nil && n == 0:
		err = io.EOF
	}
	m.ended = err == io.EOF
	return n, err
}
