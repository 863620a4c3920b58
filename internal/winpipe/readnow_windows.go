package winpipe

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/windows"

	"afunix/internal/pipe"
)

// A poll is a look into the pipe, and a read that does not wait. Made when first needed; used by
// one goroutine at a time.
type poll struct {
	reads      *timedIO
	buf        *pipe.Buffer
	available  uint32
	n          int
	err        error
	peek, read func(handle uintptr) // the method values, made once, because making them allocates
}

func newPoll() (*poll, error) {
	reads, err := newTimedIO()
	if err != nil {
		return nil, err
	}
	o := &poll{reads: reads}
	o.peek, o.read = o.doPeek, o.doRead
	return o, nil
}

func (o *poll) doPeek(fd uintptr) {
	o.err = peekNamedPipe(windows.Handle(fd), nil, 0, nil, &o.available, nil)
}

func (o *poll) doRead(fd uintptr) {
	o.n, _, o.err = o.reads.read(windows.Handle(fd), o.buf[:], 0)
}

// readNow reads a packet if there is one, and fails with os.ErrDeadlineExceeded if not. Whatever
// was in the pipe is found, and no packet is lost to the cancellation.
func (p *Pipe) readNow(buf *pipe.Buffer) (int, error) {
	o, err := p.startPoll()
	if err != nil {
		return 0, err
	}
	o.buf = buf
	err = p.end.use(o.read)
	o.buf = nil
	if err != nil {
		return 0, err
	}
	if o.err == windows.ERROR_OPERATION_ABORTED {
		return 0, os.ErrDeadlineExceeded
	}
	return o.n, o.err
}

func (p *Pipe) startPoll() (o *poll, err error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	if p.closed.Load() {
		return nil, net.ErrClosed
	}
	if p.poll == nil {
		p.poll, err = newPoll()
	}
	return p.poll, err
}

// Waited reports whether the last Read is known to have waited. The poller of Go's runtime does not
// say so, and how long a read took shows nothing, because a thread may be stopped for any time
// between two instructions; only a timedIO knows.
func (p *Pipe) Waited() bool { return p.waited }

// ReadNow takes a packet that is there: see pipe.Pipe. It looks first, because looking is all that
// is needed for a pipe that is empty, which most are.
func (p *Pipe) ReadNow(pool *sync.Pool, _ []byte) (packet *pipe.Buffer, n, placed int, err error) {
	o, err := p.startPoll()
	if err != nil {
		return nil, 0, 0, err
	}
	if err := p.end.use(o.peek); err != nil {
		return nil, 0, 0, err
	}
	if o.err == nil && o.available == 0 {
		return nil, 0, 0, syscall.EAGAIN
	}
	buf := pool.Get().(*pipe.Buffer)
	n, err = p.readNow(buf)
	switch {
	case err == os.ErrDeadlineExceeded && !p.closed.Load():
		err = syscall.EAGAIN // the peer has taken back its last packet
	case err == nil && n > pipe.MaxPacket:
		err = syscall.EMSGSIZE
	default:
		err = p.readError(err)
	}
	if err != nil {
		pool.Put(buf)
		return nil, 0, 0, err
	}
	return buf, n, 0, nil
}
