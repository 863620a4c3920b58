package winpipe

import (
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// A timedRead reads a message on the thread that calls, and gives up after a while. Its event has
// the low bit set, so that nothing is posted to a completion port, that of Go's runtime or another
// process's. One goroutine at a time reads; any may stop it.
type timedRead struct {
	event      windows.Handle     // manual reset: starting a read resets it
	overlapped windows.Overlapped // the system's while a read is under way, and so is the buffer
	n          uint32

	mu      locks.Mutex[locks.TimedRead]
	handle  windows.Handle // of the read under way; 0: there is none
	stopped bool           // reads that would have to wait are cancelled
}

func newTimedRead() (*timedRead, error) {
	event, err := newEvent()
	if err != nil {
		return nil, err
	}
	return &timedRead{event: event}, nil
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
func (r *timedRead) read(h windows.Handle, b []byte, patience uint32) (n int, waited bool, err error) {
	r.overlapped = windows.Overlapped{HEvent: r.event | 1}
	err = windows.ReadFile(h, b, &r.n, &r.overlapped)
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

// await waits until the system is done with the read. Nobody can cancel the read before its handle
// is noted, so what was stopped before that is cancelled here.
func (r *timedRead) await(h windows.Handle, patience uint32) {
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

// underWay reports whether the read is still the system's.
func (r *timedRead) underWay() bool {
	return atomic.LoadUintptr(&r.overlapped.Internal) == uintptr(windows.STATUS_PENDING)
}

// late waits for the event, and reports whether patience was not enough.
func (r *timedRead) late(patience uint32) bool {
	event, err := windows.WaitForSingleObject(r.event, patience)
	if err != nil {
		// The system goes on writing to this memory, and there is nothing left by which its end
		// could be told. Only a program that closes handles which are not its own gets here.
		panic("winpipe: the event of a pending read is gone: " + err.Error())
	}
	return event == uint32(windows.WAIT_TIMEOUT)
}

// cancel ends the read under way, if there is one.
func (r *timedRead) cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handle != 0 {
		// It fails only if the read has ended by itself, which is as good.
		_ = windows.CancelIoEx(r.handle, &r.overlapped)
	}
}

// stop ends the read under way, and those to come, unless they find a message at once.
func (r *timedRead) stop() {
	r.setStopped(true)
	r.cancel()
}

// resume undoes stop.
func (r *timedRead) resume() { r.setStopped(false) }

func (r *timedRead) setStopped(stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = stopped
}

// close must not be called while a read is under way.
func (r *timedRead) close() { windows.CloseHandle(r.event) }
