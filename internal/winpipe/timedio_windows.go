package winpipe

import (
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// A timedIO reads or writes on the thread that calls, and gives up after a while. Its event has the
// low bit set, so that nothing is posted to a completion port, that of Go's runtime or another
// process's. One goroutine at a time uses it; any may stop that one.
type timedIO struct {
	event      windows.Handle     // manual reset: starting an operation resets it
	overlapped windows.Overlapped // the system's while an operation is under way, and so is the buffer
	n          uint32

	mu      locks.Mutex[locks.TimedIO]
	handle  windows.Handle // of the operation under way; 0: there is none
	stopped bool           // operations that would have to wait are cancelled
}

func newTimedIO() (*timedIO, error) {
	event, err := newEvent()
	if err != nil {
		return nil, err
	}
	return &timedIO{event: event}, nil
}

// newEvent makes an event for overlapped operations, with no more rights than those need.
func newEvent() (windows.Handle, error) {
	event, err := windows.CreateEventEx(nil, nil, windows.CREATE_EVENT_MANUAL_RESET,
		windows.EVENT_MODIFY_STATE|windows.SYNCHRONIZE)
	return event, errno(err)
}

// read reads from h, which stays open meanwhile, and waits for patience milliseconds at most.
// ERROR_OPERATION_ABORTED: nothing has been read, since there was nothing in time, or since the
// read was stopped; or since the system has ended it, because the thread that started it is gone
// or a duplicate of h was closed in this process. A message that came just before is never lost.
// ERROR_MORE_DATA: the message goes on behind the n bytes. waited: the pipe was empty when the read
// began.
func (r *timedIO) read(h windows.Handle, b []byte, patience uint32) (n int, waited bool, err error) {
	return r.do(windows.ReadFile, h, b, patience)
}

// write writes to h as read reads from it. ERROR_OPERATION_ABORTED: n bytes have been written.
func (r *timedIO) write(h windows.Handle, b []byte, patience uint32) (n int, waited bool, err error) {
	return r.do(windows.WriteFile, h, b, patience)
}

// An operation is windows.ReadFile or windows.WriteFile.
type operation func(h windows.Handle, b []byte, n *uint32, o *windows.Overlapped) error

func (r *timedIO) do(start operation, h windows.Handle, b []byte, patience uint32) (n int, waited bool, err error) {
	r.overlapped = windows.Overlapped{HEvent: r.event | 1}
	err = start(h, b, &r.n, &r.overlapped)
	if err == windows.ERROR_IO_PENDING {
		waited = true
		r.await(h, patience)
		err = windows.GetOverlappedResult(h, &r.overlapped, &r.n, false)
		runtime.KeepAlive(b)
	}
	if err == windows.ERROR_MORE_DATA {
		r.n = uint32(r.overlapped.InternalHigh) // which ReadFile does not count when it fails at once
	}
	return int(r.n), waited, err
}

// await waits until the system is done with the operation. Nobody can cancel that before its handle
// is noted, so what was stopped before that is cancelled here.
func (r *timedIO) await(h windows.Handle, patience uint32) {
	r.mu.Lock()
	r.handle = h
	if r.stopped {
		patience = 0
	}
	r.mu.Unlock()
	for r.underWay() {
		if patience == 0 || r.late(patience) {
			r.cancel()
			patience = windows.INFINITE
		}
	}
	r.mu.Lock()
	r.handle = 0
	r.mu.Unlock()
}

// underWay reports whether the operation is still the system's.
func (r *timedIO) underWay() bool {
	return atomic.LoadUintptr(&r.overlapped.Internal) == uintptr(windows.STATUS_PENDING)
}

// late waits for the event, and reports whether patience was not enough.
func (r *timedIO) late(patience uint32) bool {
	event, err := windows.WaitForSingleObject(r.event, patience)
	if err != nil {
		// The system goes on writing to this memory, and there is nothing left by which its end
		// could be told. Only a program that closes handles which are not its own gets here.
		panic("winpipe: the event of a pending operation is gone: " + err.Error())
	}
	return event == uint32(windows.WAIT_TIMEOUT)
}

// cancel ends the operation under way, if there is one.
func (r *timedIO) cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handle != 0 {
		// It fails only if the read has ended by itself, which is as good.
		_ = windows.CancelIoEx(r.handle, &r.overlapped)
	}
}

// stop ends the operation under way, and those to come, unless they are over at once.
func (r *timedIO) stop() {
	r.setStopped(true)
	r.cancel()
}

// resume undoes stop.
func (r *timedIO) resume() { r.setStopped(false) }

func (r *timedIO) setStopped(stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = stopped
}

// close must not be called while an operation is under way.
func (r *timedIO) close() { windows.CloseHandle(r.event) }
