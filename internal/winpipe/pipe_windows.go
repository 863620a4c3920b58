package winpipe

import (
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
	"afunix/internal/pipe"
)

const (
	// quota is what a pipe takes, in each direction, before a write pends: sixteen of the largest
	// packets, and more than the credit that the engine gives a sender by default, so that writes
	// pend only in front of a process that is stopped. The system charges what is in the pipe, not
	// the quota.
	quota = 1 << 20

	// messageMode is that of a pipe that carries packets.
	messageMode = windows.PIPE_TYPE_MESSAGE | windows.PIPE_READMODE_MESSAGE

	// lingerLimit bounds how long an end that was closed waits for the other end to take its last
	// packet.
	lingerLimit = 30 * time.Second
)

// A Pipe is one end of a named pipe in message mode: a [pipe.Pipe].
//
// How it waits for packets is its end's business. Writing must not wait, which os.File cannot do:
// it has an overlapped operation of its own, whose event has its low bit set, so that nothing is
// posted to a completion port, that of Go's runtime or another process's.
type Pipe struct {
	end end // owns the handle

	reading     locks.Mutex[locks.PipeReading] // guards what is decided before a read; not held while reading
	interrupted atomic.Bool
	closed      atomic.Bool
	poll        *poll
	apart       atomic.Bool // the peer is known to be another process
	waited      bool        // belongs to the goroutine that reads, as poll does

	writer  writer
	linger  time.Duration // lingerLimit, but for tests
	origin  *origin       // known once the end can be used
	name    io.Closer     // which this end has bound, and gives up when it is closed; nil if it has none
	process process
}

// A writer is what belongs to writing. Its lock is never held while anything waits.
type writer struct {
	mu      locks.Mutex[locks.PipeWriter]
	done    windows.Handle // set when the operation under way has ended; manual reset
	stop    windows.Handle // set by Close; made when somebody waits
	waiting sync.WaitGroup // in WaitWritable, using both events
	pending *writeOp       // in the pipe, but over the quota: the buffer and the operation are the system's
	early   *writeOp       // not in the pipe yet: written before it was known whether the end is one (see examination)
	broken  error          // how the last of these ended, if not well

	// What submit works on, and its outcome.
	next    *writeOp
	written uint32 // unused: a message goes as a whole; a local variable would be allocated
	err     error
	submit  func(handle uintptr) // the method value, made once, because making it allocates
}

// A writeOp is one overlapped operation with the buffer that it needs until it has ended.
type writeOp struct {
	overlapped windows.Overlapped
	length     int
	buf        [pipe.MaxPacket]byte
}

var writes = sync.Pool{New: func() any { return new(writeOp) }}

// inFlight keeps alive what the system will still write to: a collector that frees it would let the
// system overwrite whatever comes there. Elements are *writeOp and *instance.
var inFlight sync.Map

// newPipe makes a pipe of the handle of an end that this process has made. It owns the handle, also
// if it fails.
func newPipe(h windows.Handle, from origin) (*Pipe, error) {
	e, err := newPolled(h)
	if err != nil {
		return nil, errno(err)
	}
	return wrap(e, &from)
}

// wrap makes a pipe of e, which it owns from now on, even if it fails.
func wrap(e end, from *origin) (*Pipe, error) {
	done, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		e.Close()
		return nil, errno(err)
	}
	p := &Pipe{end: e, origin: from, linger: lingerLimit}
	p.writer.done = done
	p.writer.submit = p.submitWrite
	return p, nil
}

// Read waits for a packet: see pipe.Pipe. A buffer is held while waiting, as the system copies into
// it. Nothing is ever placed: a read from a pipe has one buffer.
func (p *Pipe) Read(pool *sync.Pool, _ []byte) (packet *pipe.Buffer, n, placed int, err error) {
	locks.MayWait()
	buf := pool.Get().(*pipe.Buffer)
	n, err = p.read(buf)
	if err == nil && n > pipe.MaxPacket {
		err = syscall.EMSGSIZE
	}
	if err != nil {
		pool.Put(buf)
		return nil, 0, 0, err
	}
	return buf, n, 0, nil
}

func (p *Pipe) read(buf *pipe.Buffer) (n int, err error) {
	p.waited = false
	if !p.interrupted.Load() {
		n, p.waited, err = p.end.Read(buf[:], p.apart.Load())
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, p.readError(err)
		}
	}
	if p.closed.Load() { // and not released yet: see Close
		return 0, net.ErrClosed
	}
	if err := p.end.settle(); err != nil {
		return 0, p.readError(err)
	}
	n, err = p.readNow(buf)
	return n, p.readError(err)
}

// readError gives an error of reading the form that the contract of pipe.Pipe asks for.
func (p *Pipe) readError(err error) error {
	if err == nil {
		return nil
	}
	var system syscall.Errno
	switch {
	case p.closed.Load() || err == net.ErrClosed:
		return net.ErrClosed
	case err == io.EOF || err == os.ErrDeadlineExceeded:
		return err
	case !errors.As(err, &system):
		return err
	case system == windows.ERROR_MORE_DATA:
		return syscall.EMSGSIZE
	}
	if err = errno(system); err == syscall.EPIPE {
		return io.EOF
	}
	return err
}

// Interrupt makes Read, until Resume, return what is in the pipe without waiting for more.
func (p *Pipe) Interrupt() { p.setInterrupted(true) }

// Resume undoes Interrupt.
func (p *Pipe) Resume() { p.setInterrupted(false) }

func (p *Pipe) setInterrupted(on bool) {
	p.reading.Lock()
	defer p.reading.Unlock()
	p.interrupted.Store(on)
	if !on && !p.closed.Load() {
		p.end.rest()
	} else {
		p.end.wake()
	}
}

// Write puts one packet into the pipe: see pipe.Pipe. The system takes a message as a whole, over
// the quota, too: the write then pends with its data in the pipe, and until that has ended the pipe
// is full. That a pending write has failed, because the other end was closed, is what the next
// Write says.
func (p *Pipe) Write(head, body []byte) error {
	locks.MayWait()
	n := len(head) + len(body)
	switch {
	case n == 0:
		return syscall.EINVAL
	case n > pipe.MaxPacket:
		return syscall.EMSGSIZE
	}
	w := &p.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.closed.Load() {
		return net.ErrClosed
	}
	if err := p.finish(); err != nil {
		return err
	}
	op := writes.Get().(*writeOp)
	op.length = n
	copy(op.buf[copy(op.buf[:], head):], body)
	return p.start(op)
}

// start writes op, which it owns from now on. The caller holds w.mu.
func (p *Pipe) start(op *writeOp) error {
	w := &p.writer
	w.next = op
	err := p.end.use(w.submit)
	w.next = nil
	if err == nil {
		err = w.err
	}
	switch err {
	case windows.ERROR_IO_PENDING:
		w.pending = op
		return nil
	case syscall.EAGAIN:
		w.early = op
		return nil
	}
	writes.Put(op)
	return errno(err)
}

// submitWrite starts the write w.next. It is registered before the system knows of it.
func (p *Pipe) submitWrite(fd uintptr) {
	w := &p.writer
	op := w.next
	op.overlapped = windows.Overlapped{HEvent: w.done | 1}
	w.err = windows.WriteFile(windows.Handle(fd), op.buf[:op.length], &w.written, &op.overlapped)
	if w.err == windows.ERROR_IO_PENDING {
		inFlight.Store(op, nil)
	}
}

// startEarly writes what Write was given before it was known whether the end can be used. It is
// called once, when that is known.
func (p *Pipe) startEarly() {
	w := &p.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	op := w.early
	if op == nil {
		return
	}
	w.early = nil
	if w.broken = p.start(op); w.pending == nil {
		windows.SetEvent(w.done) // a call that waits is not woken by the system
	}
}

// finish makes the pipe ready for the next write: EAGAIN if the pending one has not ended, EPIPE if
// it failed. The caller holds w.mu.
func (p *Pipe) finish() error {
	w := &p.writer
	op := w.pending
	switch {
	case w.broken != nil:
		return w.broken
	case w.early != nil:
		return syscall.EAGAIN
	case op == nil:
		return nil
	case !op.ended():
		return syscall.EAGAIN
	}
	w.pending = nil
	inFlight.Delete(op)
	var n uint32
	err := windows.GetOverlappedResult(0, &op.overlapped, &n, false)
	if err == windows.ERROR_OPERATION_ABORTED {
		// Not by us: the system takes back what a thread has started when that thread ends, and
		// what this process has started when another handle of this end is closed that belongs to
		// Go's poller (an end that moves within a process).
		if w.broken = p.start(op); w.broken == nil && w.pending != nil {
			return syscall.EAGAIN
		}
		return w.broken
	}
	w.broken = errno(err)
	writes.Put(op)
	return w.broken
}

// ended reports whether the system is done with op: the status is the last thing that it writes,
// before it sets the event.
func (op *writeOp) ended() bool {
	return atomic.LoadUintptr(&op.overlapped.Internal) != uintptr(windows.STATUS_PENDING)
}

// WaitWritable waits for the pending write, if there is one. It occupies a thread meanwhile.
func (p *Pipe) WaitWritable() error {
	locks.MayWait()
	w := &p.writer
	for {
		stop, err := p.startWaiting()
		if err != syscall.EAGAIN {
			return err
		}
		_, err = windows.WaitForMultipleObjects([]windows.Handle{w.done, stop}, false, windows.INFINITE)
		w.waiting.Done()
		if err != nil {
			return errno(err)
		}
	}
}

// startWaiting returns EAGAIN and the event that Close sets, and has counted the caller among those
// who wait; any other outcome is that of WaitWritable.
func (p *Pipe) startWaiting() (stop windows.Handle, err error) {
	w := &p.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.closed.Load() {
		return 0, net.ErrClosed
	}
	if err := p.finish(); err != syscall.EAGAIN {
		return 0, err
	}
	if w.stop == 0 {
		if w.stop, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
			return 0, errno(err)
		}
	}
	w.waiting.Add(1)
	return w.stop, syscall.EAGAIN
}

// Close closes this end, and releases the peer's process. What is in the pipe stays there for the
// other end. But closing the handle would cancel a pending write, and so take back its packet. So
// the handle stays open, in the background, until that packet has found room, the other end is
// closed, or lingerLimit is over. The packet is lost if this process ends first.
func (p *Pipe) Close() error {
	locks.MayWait()
	full, err := p.leave()
	if err != nil || !full {
		return err
	}
	go p.outlast()
	return nil
}

// Hangup is Close, but waits for the pending write.
func (p *Pipe) Hangup() error {
	locks.MayWait()
	full, err := p.leave()
	if err != nil || !full {
		return err
	}
	return p.outlast()
}

// leave ends the use of this end, and closes it unless a write is pending.
func (p *Pipe) leave() (full bool, err error) {
	w := &p.writer
	w.mu.Lock()
	if p.closed.Swap(true) {
		w.mu.Unlock()
		return false, net.ErrClosed
	}
	if w.stop != 0 {
		windows.SetEvent(w.stop)
	}
	full = p.finish() == syscall.EAGAIN
	w.mu.Unlock()
	w.waiting.Wait()
	p.process.close()
	if p.name != nil {
		p.name.Close() // there is nobody to tell that this has failed
	}
	if !full {
		return false, p.release()
	}
	p.Interrupt()
	return true, nil
}

// outlast closes this end when the pending write has ended, or has had its time.
func (p *Pipe) outlast() error {
	windows.WaitForSingleObject(p.writer.done, uint32(p.linger.Milliseconds()))
	return p.release()
}

// Connected reports whether both ends are open. An end whose other one is closed is closing, also
// while there is something to be read.
func (p *Pipe) Connected() bool {
	var local pipeLocalInformation
	err := net.ErrClosed
	if !p.closed.Load() {
		lent := p.end.lend(func(fd uintptr) {
			var status windows.IO_STATUS_BLOCK
			err = windows.NtQueryInformationFile(windows.Handle(fd), &status, (*byte)(unsafe.Pointer(&local)),
				uint32(unsafe.Sizeof(local)), filePipeLocalInformation)
		})
		err = cmp.Or(lent, err)
	}
	return err == nil && local.state == pipeConnected
}

// pipeLocalInformation is FILE_PIPE_LOCAL_INFORMATION.
type pipeLocalInformation struct {
	_     [8]uint32
	state uint32
	_     uint32
}

const (
	filePipeLocalInformation = 24 // FilePipeLocalInformation
	pipeConnected            = 3  // FILE_PIPE_CONNECTED_STATE
)

// release closes the handles. A write that still pends is cancelled: closing the pipe would not do
// that while another process has the end, too. The system is done with it when the event is set.
func (p *Pipe) release() error {
	w := &p.writer
	w.mu.Lock()
	if op := w.pending; op != nil {
		p.end.lend(func(fd uintptr) { windows.CancelIoEx(windows.Handle(fd), &op.overlapped) }) // fails if it has ended
		windows.WaitForSingleObject(w.done, windows.INFINITE)
		inFlight.Delete(op)
		writes.Put(op)
	}
	w.pending, w.early = nil, nil
	w.mu.Unlock()
	err := p.end.Close()
	windows.CloseHandle(w.done)
	if w.stop != 0 {
		windows.CloseHandle(w.stop)
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	if p.poll != nil {
		p.poll.reads.close()
	}
	return err
}
