package winpipe

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/windows"
)

// foreign is an end that another process has handed on. Its file object may be bound to that process's completion port: if it were
// given to os.File here, what ends here would be posted there, with a pointer of ours, and crash that process's runtime. So a read has an
// event whose low bit is set, which keeps its end from being posted anywhere, and a thread that waits for it.
type foreign struct {
	handle windows.Handle
	exam   *examination

	using sync.RWMutex  // shared by whoever uses the handle, exclusive for closing it
	gone  chan struct{} // closed by Close

	// The read under way: it belongs to the goroutine that reads.
	event      windows.Handle // manual reset: starting a read resets it
	overlapped windows.Overlapped
	n          uint32

	mu      sync.Mutex
	pending bool // the read is the system's: whoever wants it to end cancels it
	woken   bool
	closed  bool
}

// newForeign makes an end of h, which is being examined and which it owns from now on, even if it fails.
func newForeign(h windows.Handle, exam *examination) (*foreign, error) {
	event, err := newEvent()
	if err != nil {
		exam.close(h)
		return nil, err
	}
	return &foreign{handle: h, exam: exam, event: event, gone: make(chan struct{})}, nil
}

// newEvent makes an event for overlapped operations, with no more rights than those need.
func newEvent() (windows.Handle, error) {
	event, err := windows.CreateEventEx(nil, nil, windows.CREATE_EVENT_MANUAL_RESET, windows.EVENT_MODIFY_STATE|windows.SYNCHRONIZE)
	return event, errno(err)
}

func (e *foreign) settle() error {
	select {
	case <-e.exam.done:
		return e.exam.err
	case <-e.gone:
		return net.ErrClosed
	}
}

func (e *foreign) Read(b []byte) (int, error) {
	if err := e.settle(); err != nil {
		return 0, err
	}
	e.using.RLock()
	defer e.using.RUnlock()
	for {
		if err := e.mayRead(); err != nil {
			return 0, err
		}
		err := e.readOnce(b)
		switch {
		case err == windows.ERROR_OPERATION_ABORTED:
			// Cancelled before there was anything. If not by us, then by the system, because the thread that started the read has ended, or
			// by somebody who closed a duplicate of the handle in this process: start again.
		case err == nil && e.n == 0:
			return 0, io.EOF // a message without a byte, as os.File takes it
		default:
			return int(e.n), err
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

// readOnce starts a read and waits for its end. What it got before it was cancelled is not lost: then it has succeeded.
func (e *foreign) readOnce(b []byte) error {
	e.overlapped = windows.Overlapped{HEvent: e.event | 1}
	err := windows.ReadFile(e.handle, b, &e.n, &e.overlapped)
	if err != windows.ERROR_IO_PENDING {
		return err
	}
	e.await()
	err = windows.GetOverlappedResult(e.handle, &e.overlapped, &e.n, false)
	runtime.KeepAlive(b)
	return err
}

// await waits until the system is done with the read. Nobody can cancel it before it is marked as pending, so what happened between
// its start and the mark is looked at here.
func (e *foreign) await() {
	e.mu.Lock()
	e.pending = true
	if e.woken || e.closed {
		e.cancel()
	}
	e.mu.Unlock()
	for atomic.LoadUintptr(&e.overlapped.Internal) == uintptr(windows.STATUS_PENDING) {
		if _, err := windows.WaitForSingleObject(e.event, windows.INFINITE); err != nil {
			// The system goes on writing to this memory, and there is nothing left by which its end could be told. Only a
			// program that closes handles which are not its own gets here.
			panic("winpipe: the event of a pending read is gone: " + err.Error())
		}
	}
	e.mu.Lock()
	e.pending = false
	e.mu.Unlock()
}

// cancel ends the read under way, if there is one. The caller holds e.mu.
func (e *foreign) cancel() {
	if e.pending {
		// It fails only if the read has ended by itself, which is as good.
		_ = windows.CancelIoEx(e.handle, &e.overlapped)
	}
}

func (e *foreign) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.woken = true
	e.cancel()
}

func (e *foreign) rest() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.woken = false
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
	e.cancel()
	e.mu.Unlock()
	close(e.gone)
	e.using.Lock() // everybody has left
	defer e.using.Unlock()
	windows.CloseHandle(e.event)
	return e.exam.close(e.handle)
}
