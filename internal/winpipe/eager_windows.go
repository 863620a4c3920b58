package winpipe

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// An eager waits for the next message on the thread of the goroutine that reads, while messages
// come one upon the other. Go's poller takes longer: it waits on a thread of its own, asks the
// port, and wakes another thread. On Wine 8 a round trip between two processes takes half the time
// like this (bench/README.md). What comes late is left to the poller, which holds no thread. So is
// what a goroutine of this process is to write, since that may need the processor of the thread.
//
// read and learn are called by the goroutine that reads; stop and resume by any, also before there
// is anything to stop.
type eager struct {
	busy bool // the last message came within eagerness

	mu      locks.Mutex[locks.Eager]
	reads   *timedIO // made when first needed: an end that is idle has none
	stopped bool

	// What the read works on, and its outcome.
	buf    []byte
	n      int
	waited bool
	err    error
	submit func(handle uintptr) // the method value, made once, because making it allocates
}

// eagerness is how long a thread is held. (Windows counts in ticks, of up to 16 ms. Tests have more
// time.)
var eagerness = time.Millisecond

// maxEager bounds how many threads are held at a time, in all of the process, so that processors
// are left for everything else.
var maxEager = int32(max(1, runtime.NumCPU()/2))

var eagerNow atomic.Int32 // how many are held

// read reads by raw, if messages come one upon the other. ERROR_OPERATION_ABORTED: they do not, or
// not any more; nothing has been read.
func (e *eager) read(raw syscall.RawConn, b []byte) (n int, waited bool, err error) {
	if !e.busy || !e.ready() {
		return 0, false, windows.ERROR_OPERATION_ABORTED
	}
	defer eagerNow.Add(-1)
	e.buf = b
	err = raw.Control(e.submit)
	e.buf = nil
	switch {
	case err != nil:
		return 0, false, net.ErrClosed // the only error of Control
	case e.err == nil && e.n == 0:
		return 0, e.waited, io.EOF // a message without a byte, as os.File takes it
	}
	e.busy = e.err == nil
	return e.n, e.waited, e.err
}

// ready reports whether there may be one more that holds its thread, and counts it.
func (e *eager) ready() bool {
	if eagerNow.Add(1) <= maxEager && e.prepare() {
		return true
	}
	eagerNow.Add(-1)
	return false
}

// prepare reports whether there is something to read with. Without an event there is still the
// poller.
func (e *eager) prepare() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return false
	}
	if e.reads == nil {
		reads, err := newTimedIO()
		if err != nil {
			return false
		}
		e.reads, e.submit = reads, e.doRead
	}
	return true
}

func (e *eager) doRead(fd uintptr) {
	e.n, e.waited, e.err = e.reads.read(windows.Handle(fd), e.buf, uint32(eagerness.Milliseconds()))
}

// learn is told how long the poller has waited for a message.
func (e *eager) learn(took time.Duration) { e.busy = took < eagerness }

// stop ends the read under way, and has those to come left to the poller.
func (e *eager) stop() { e.setStopped(true) }

// resume undoes stop.
func (e *eager) resume() { e.setStopped(false) }

func (e *eager) setStopped(stopped bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = stopped
	switch {
	case e.reads == nil:
	case stopped:
		e.reads.stop()
	default:
		e.reads.resume()
	}
}

// close is called once nothing reads any more.
func (e *eager) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reads != nil {
		e.reads.close()
		e.reads = nil
	}
}
