package linuxpipe

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"afunix/internal/locks"
	"afunix/internal/pipe"
)

// System makes the message pipes of Linux.
type System struct{}

var (
	_ pipe.System  = System{}
	_ pipe.Shedder = (*Listener)(nil)
)

// A Pipe is one end of a message pipe: a [pipe.Pipe].
type Pipe struct {
	file *os.File
	raw  syscall.RawConn
	in   input
	out  output
	peer peer
}

// room is what a pipe should hold, in bytes; the kernel doubles it. It is more than the engine's
// window, so that the pipe is hardly ever full, as far as net.core.wmem_max allows.
const room = 1 << 19

// newPipe wraps a connected, non-blocking SOCK_SEQPACKET socket. It takes ownership of fd.
func newPipe(fd int) (pipe.Pipe, error) {
	p := &Pipe{file: os.NewFile(uintptr(fd), "afunix pipe")}
	raw, err := p.file.SyscallConn()
	if err != nil {
		p.file.Close()
		return nil, err
	}
	p.raw = raw
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, room); err != nil {
		p.file.Close()
		return nil, err
	}
	p.peer.pidfd = noPIDFD
	p.in.peer = &p.peer
	p.in.read = p.in.attempt
	p.in.readNow = func(fd uintptr) { p.in.attempt(fd) }
	p.in.message.Iov = &p.in.parts[0]
	p.in.message.SetIovlen(len(p.in.parts))
	p.out.write = p.out.attempt
	p.out.message.Iov = &p.out.parts[0]
	return p, nil
}

// input is what a read works with. The callback is made once, so that reading allocates nothing.
type input struct {
	peer    *peer
	pool    *sync.Pool
	into    []byte
	buf     *pipe.Buffer
	n       int
	err     error
	read    func(fd uintptr) (done bool)
	readNow func(fd uintptr)
	wait    bool // the last Read waited
	message unix.Msghdr
	parts   [3]unix.Iovec
}

// attempt makes one system call, and reports whether there was anything. None of them ever waits,
// whatever O_NONBLOCK says: an end that was handed on is an open file description that its former
// owner may still have, and change.
func (in *input) attempt(fd uintptr) bool {
	in.buf = in.pool.Get().(*pipe.Buffer)
	for {
		switch {
		case in.peer.awaited():
			in.n, in.err = in.peer.receive(fd, in.buf[:])
		case len(in.into) > 0:
			in.n, in.err = in.scatter(fd)
		default:
			in.n, in.err = in.whole(fd)
		}
		switch in.err {
		case syscall.EINTR:
		case syscall.ECONNRESET:
			// The peer closed while something of ours was unread. The kernel says so once, before
			// what the peer has written: read on.
		case nil:
			return true
		default:
			in.pool.Put(in.buf)
			in.buf = nil
			in.wait = in.err == syscall.EAGAIN
			return !in.wait
		}
	}
}

// whole reads a packet into in.buf. Nothing is said of a control block, so descriptors that a peer
// attaches are closed by the kernel.
func (in *input) whole(fd uintptr) (int, error) {
	n, _, errno := syscall.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(in.buf)),
		uintptr(len(in.buf)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// scatter reads a packet past the header into in.into, and what is left over behind the hole in
// in.buf.
func (in *input) scatter(fd uintptr) (int, error) {
	rest := in.buf[pipe.HeaderLen+len(in.into):]
	in.parts[0].Base = &in.buf[0]
	in.parts[0].SetLen(pipe.HeaderLen)
	in.parts[1].Base = &in.into[0]
	in.parts[1].SetLen(len(in.into))
	in.parts[2].Base = unsafe.SliceData(rest)
	in.parts[2].SetLen(len(rest))
	n, _, errno := syscall.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&in.message)), unix.MSG_DONTWAIT)
	clear(in.parts[:])
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Read waits for a packet: see pipe.Pipe.
func (p *Pipe) Read(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	locks.MayWait()
	in := &p.in
	in.begin(pool, into)
	switch err := p.raw.Read(in.read); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		// Interrupted: the callback has not been called. Take what is there.
		if buf, n, placed, err := p.ReadNow(pool, into); err != syscall.EAGAIN {
			return buf, n, placed, err
		}
		return nil, 0, 0, os.ErrDeadlineExceeded
	case err != nil:
		return nil, 0, 0, net.ErrClosed
	}
	return in.packet()
}

// ReadNow takes a packet that is there: see pipe.Pipe.
func (p *Pipe) ReadNow(pool *sync.Pool, into []byte) (buf *pipe.Buffer, n, placed int, err error) {
	locks.MayWait()
	in := &p.in
	in.begin(pool, into)
	if err := p.raw.Control(in.readNow); err != nil {
		return nil, 0, 0, net.ErrClosed
	}
	return in.packet()
}

// Waited reports whether the last Read had to wait.
func (p *Pipe) Waited() bool { return p.in.wait }

func (in *input) begin(pool *sync.Pool, into []byte) {
	in.pool, in.buf, in.wait = pool, nil, false
	in.into = into[:min(len(into), pipe.MaxPacket+1-pipe.HeaderLen)]
	if in.peer.awaited() {
		in.into = nil
	}
}

// packet returns what the last attempt has read.
func (in *input) packet() (buf *pipe.Buffer, n, placed int, err error) {
	buf, n, placed = in.buf, in.n, min(len(in.into), max(0, in.n-pipe.HeaderLen))
	in.buf, in.into = nil, nil
	switch {
	case in.err != nil:
		return nil, 0, 0, in.err
	case n == 0:
		err = io.EOF
	case n == len(buf):
		err = syscall.EMSGSIZE
	default:
		return buf, n, placed, nil
	}
	in.pool.Put(buf)
	return nil, 0, 0, err
}

// Interrupt makes Read return what is in the pipe without waiting for more.
func (p *Pipe) Interrupt() {
	p.file.SetReadDeadline(aLongTimeAgo) // fails only on a closed file, whose Read does not wait either
}

// Resume undoes Interrupt.
func (p *Pipe) Resume() { p.file.SetReadDeadline(time.Time{}) }

// output is what a write works with.
type output struct {
	message unix.Msghdr
	parts   [2]unix.Iovec
	errno   syscall.Errno
	write   func(fd uintptr)
}

func (o *output) attempt(fd uintptr) {
	for {
		_, _, o.errno = syscall.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&o.message)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if o.errno != syscall.EINTR {
			return
		}
	}
}

// Write puts head and body into the pipe as one packet: see pipe.Pipe.
func (p *Pipe) Write(head, body []byte) error {
	locks.MayWait()
	o := &p.out
	o.parts[0].Base = unsafe.SliceData(head)
	o.parts[0].SetLen(len(head))
	o.parts[1].Base = unsafe.SliceData(body)
	o.parts[1].SetLen(len(body))
	o.message.Iovlen = 1
	if len(body) > 0 {
		o.message.Iovlen = 2
	}
	err := p.raw.Control(o.write)
	o.parts[0].Base, o.parts[1].Base = nil, nil
	switch {
	case err != nil:
		return net.ErrClosed
	case o.errno == syscall.ECONNRESET || o.errno == syscall.ENOTCONN:
		// The peer closed with something of ours unread. The kernel says so once; from then on it
		// says EPIPE.
		return syscall.EPIPE
	case o.errno != 0:
		return o.errno
	}
	return nil
}

// WaitWritable waits until Write may find room.
func (p *Pipe) WaitWritable() error {
	locks.MayWait()
	var pollErr error
	err := p.raw.Write(func(fd uintptr) bool {
		var ready bool
		ready, pollErr = poll(fd, unix.POLLOUT)
		return ready || pollErr != nil
	})
	if err != nil {
		return net.ErrClosed
	}
	return pollErr
}

// poll reports whether one of the events is there now.
func poll(fd uintptr, events int16) (bool, error) {
	set := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		if n, err := unix.Poll(set, 0); err != unix.EINTR {
			return n > 0, err
		}
	}
}

// Close closes this end and releases the peer's process.
func (p *Pipe) Close() error {
	locks.MayWait()
	err := p.file.Close()
	p.peer.release()
	if errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// Hangup is Close for other processes that have this end, too: a child process that has just been
// forked has it until its exec. What has been written stays readable.
func (p *Pipe) Hangup() error {
	locks.MayWait()
	// This fails if this end is closed, or the other one is.
	p.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	return p.Close()
}

// Connected reports whether both ends are open: poll(2) says POLLHUP of one that is shut down both
// ways.
func (p *Pipe) Connected() bool {
	set := []unix.PollFd{{}}
	var err error
	closed := p.raw.Control(func(fd uintptr) {
		set[0].Fd = int32(fd)
		for {
			if _, err = unix.Poll(set, 0); err != syscall.EINTR {
				return
			}
		}
	})
	return closed == nil && err == nil && set[0].Revents&unix.POLLHUP == 0
}

// SyscallConn gives access to the socket.
func (p *Pipe) SyscallConn() syscall.RawConn { return p.raw }
