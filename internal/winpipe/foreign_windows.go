package winpipe

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// foreign is an end that another process has handed on. Its file object may be bound to that
// process's completion port: if it were given to os.File here, what ends here would be posted
// there, with a pointer of ours, and crash that process's runtime. So a thread waits for each read.
type foreign struct {
	handle windows.Handle
	exam   *examination
	reads  *timedIO

	using locks.RWMutex[locks.ForeignUsing] // shared by calls that use the handle, exclusive for closing it
	gone  chan struct{}                     // closed by Close

	mu     locks.Mutex[locks.Foreign]
	woken  bool
	closed bool
}

// newForeign makes an end of h, which is being examined and which it owns from now on, even if it
// fails.
func newForeign(h windows.Handle, exam *examination) (*foreign, error) {
	reads, err := newTimedIO()
	if err != nil {
		exam.close(h)
		return nil, err
	}
	return &foreign{handle: h, exam: exam, reads: reads, gone: make(chan struct{})}, nil
}

func (e *foreign) settle() error {
	select {
	case <-e.exam.done:
		return e.exam.err
	case <-e.gone:
		return net.ErrClosed
	}
}

func (e *foreign) Read(b []byte, _ bool) (n int, waited bool, err error) {
	if err := e.settle(); err != nil {
		return 0, false, err
	}
	e.using.RLock()
	defer e.using.RUnlock()
	for {
		if err := e.mayRead(); err != nil {
			return 0, false, err
		}
		n, waited, err = e.reads.read(e.handle, b, windows.INFINITE)
		switch {
		case err == windows.ERROR_OPERATION_ABORTED:
			// If not by us, then by the system: start again.
		case err == nil && n == 0:
			return 0, waited, io.EOF // a message without a byte, as os.File takes it
		default:
			return n, waited, err
		}
	}
}

func (e *foreign) mayRead() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return net.ErrClosed
	case e.woken:
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (e *foreign) wake() { e.setWoken(true) }
func (e *foreign) rest() { e.setWoken(false) }

func (e *foreign) setWoken(woken bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.woken = woken
	switch {
	case e.closed: // and stopped for good
	case woken:
		e.reads.stop()
	default:
		e.reads.resume()
	}
}

func (e *foreign) use(f func(handle uintptr)) error {
	if err := e.exam.verdict(); err != nil {
		return err
	}
	return e.lend(f)
}

func (e *foreign) lend(f func(handle uintptr)) error {
	e.using.RLock()
	defer e.using.RUnlock()
	if e.isClosed() {
		return net.ErrClosed
	}
	f(uintptr(e.handle))
	return nil
}

func (e *foreign) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

func (e *foreign) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return net.ErrClosed
	}
	e.closed = true
	e.reads.stop()
	e.mu.Unlock()
	close(e.gone)
	e.using.Lock() // everybody has left
	defer e.using.Unlock()
	e.reads.close()
	return e.exam.close(e.handle)
}
