package winpipe

import (
	"io"
	"net"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// An eventFile is an end of a pipe of bytes that another process has had, or still has: see
// [foreign] for what is dangerous about it. Go's poller does not get it. Its errors are those of an
// *os.File, without what that puts around them.
type eventFile struct {
	handle  windows.Handle
	in, out half

	using  locks.RWMutex[locks.StreamUsing] // shared by calls that use the handle, exclusive for closing it
	closed bool                             // under using
}

// newEventFile makes a file of h, which it owns from now on, even if it fails.
func newEventFile(h windows.Handle) (*eventFile, error) {
	f := &eventFile{handle: h}
	err := f.in.open()
	if err == nil {
		if err = f.out.open(); err != nil {
			f.in.close()
		}
	}
	if err != nil {
		windows.CloseHandle(h)
		return nil, err
	}
	return f, nil
}

// Read reads what is there, or waits. io.EOF: it was nothing.
func (f *eventFile) Read(b []byte) (n int, err error) {
	f.in.turn.Lock()
	defer f.in.turn.Unlock()
	closed := f.control(func(fd uintptr) { n, err = f.in.do(f.in.io.read, windows.Handle(fd), b) })
	switch {
	case closed != nil:
		return 0, closed
	case err == nil && n == 0:
		return 0, io.EOF
	}
	return n, err
}

// Write writes all of b, unless it fails.
func (f *eventFile) Write(b []byte) (written int, err error) {
	f.out.turn.Lock()
	defer f.out.turn.Unlock()
	closed := f.control(func(fd uintptr) {
		for n := 0; written < len(b) && err == nil; written += n {
			n, err = f.out.do(f.out.io.write, windows.Handle(fd), b[written:])
		}
	})
	if closed != nil {
		return 0, closed
	}
	return written, err
}

func (f *eventFile) SetReadDeadline(t time.Time) error  { return f.setDeadline(&f.in, t) }
func (f *eventFile) SetWriteDeadline(t time.Time) error { return f.setDeadline(&f.out, t) }

func (f *eventFile) setDeadline(d *half, t time.Time) error {
	return f.control(func(uintptr) { d.setDeadline(t) })
}

// control calls g with the handle, which stays open meanwhile.
func (f *eventFile) control(g func(fd uintptr)) error {
	f.using.RLock()
	defer f.using.RUnlock()
	if f.closed {
		return net.ErrClosed
	}
	g(uintptr(f.handle))
	return nil
}

// Close ends the calls that wait, and closes the handle.
func (f *eventFile) Close() error {
	f.in.stop()
	f.out.stop()
	f.using.Lock() // everybody has left
	defer f.using.Unlock()
	if f.closed {
		return net.ErrClosed
	}
	f.closed = true
	f.in.close()
	f.out.close()
	return windows.CloseHandle(f.handle)
}
