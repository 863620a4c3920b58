package winsock

import (
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// maxIO bounds one system call; its lengths are 32 bits wide.
const maxIO = 1 << 30

// An operation is the memory that Windows reads and writes while it carries out one overlapped
// call. It is part of a socket, on the heap, and is used again for the next call once the last one
// has completed.
type operation struct {
	overlapped windows.Overlapped
	event      windows.Handle // created with the first call; manual-reset: starting a call resets it
	buf        windows.WSABuf
	moved      uint32 // bytes, if the call completed at once
	flags      uint32
	name       windows.RawSockaddrAny // the peer's address of a datagram
	nameLen    int32

	// With ancillary data only.
	msg       windows.WSAMsg
	control   windows.WSABuf
	oobPinner runtime.Pinner

	// AcceptEx only.
	accepted windows.Handle
	names    [2]windows.RawSockaddrAny
	pinner   runtime.Pinner
}

// A submit function starts the call that o describes on the socket h. It is always a function of
// this package rather than a closure, so that it costs no allocation.
type submit func(h windows.Handle, o *operation) error

// A direction is one of the two halves of a socket: reading (and accepting), or writing. It has no
// pointer back to the socket: what is part of a cycle is never finalized.
type direction struct {
	turn locks.Mutex[locks.SocketTurn] // held during an operation, and by Write from its first one to its last
	op   operation                     // belongs to the holder of turn

	// Under socket.mu.
	pending  bool // op has been started, and a call that interrupts it calls CancelIoEx
	expired  bool // the deadline has passed
	deadline time.Time
	timer    *time.Timer
}

// prepare readies o for calls with the buffer b, until release.
func (o *operation) prepare(b []byte) error {
	if o.event == 0 {
		// No more rights than Windows needs to signal it and we to wait for it. (It also tells
		// these events apart from those of threads: see package leaktest.)
		event, err := windows.CreateEventEx(nil, nil, windows.CREATE_EVENT_MANUAL_RESET,
			windows.EVENT_MODIFY_STATE|windows.SYNCHRONIZE)
		if err != nil {
			return syscallError("createevent", err)
		}
		o.event = event
	}
	o.pinner.Pin(o)
	o.buf = windows.WSABuf{}
	if len(b) > 0 {
		o.pinner.Pin(unsafe.SliceData(b))
		o.buf = windows.WSABuf{Len: uint32(min(len(b), maxIO)), Buf: unsafe.SliceData(b)}
	}
	return nil
}

// release lets go of the buffer.
func (o *operation) release() {
	o.pinner.Unpin()
	o.buf = windows.WSABuf{}
}

// do carries out one call on up to maxIO bytes of b, waiting for it if need be, and returns how
// many bytes it moved. If it was interrupted after some bytes had been moved, it returns those
// without an error; the next call then fails. The caller uses the socket, and holds the turn.
func (s *socket) do(d *direction, start submit, call string, b []byte) (int, error) {
	if err := s.ready(d); err != nil {
		return 0, err
	}
	if err := d.op.prepare(b); err != nil {
		return 0, err
	}
	defer d.op.release()
	for {
		n, err := s.once(d, start)
		if err != windows.ERROR_OPERATION_ABORTED {
			return n, syscallError(call, err)
		}
		// Cancelled, but it may have got somewhere first.
		if n > 0 {
			return n, nil
		}
		if err := s.ready(d); err != nil {
			return 0, err
		}
		// Not by us, or the deadline was moved meanwhile. Windows cancels what a thread has started
		// when that thread ends, and the runtime may have moved our goroutine away from it: start
		// again.
	}
}

// ready says whether an operation may be started: net.ErrClosed, os.ErrDeadlineExceeded or nil.
func (s *socket) ready(d *direction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return net.ErrClosed
	case d.expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// once starts a call and waits for its end.
func (s *socket) once(d *direction, start submit) (int, error) {
	o := &d.op
	o.overlapped = windows.Overlapped{HEvent: o.event | 1}
	o.moved, o.flags = 0, 0
	err := start(s.handle, o)
	if err != windows.ERROR_IO_PENDING {
		return int(o.moved), err
	}
	s.await(d)
	err = windows.WSAGetOverlappedResult(s.handle, &o.overlapped, &o.moved, false, &o.flags)
	return int(o.overlapped.InternalHigh), err
}

// await waits until the call that was started has completed. Nobody can cancel it before it is
// marked as pending, so what happened between the start and the mark is looked at here.
func (s *socket) await(d *direction) {
	s.mu.Lock()
	d.pending = true
	if s.closed || d.expired {
		s.interrupt(d)
	}
	s.mu.Unlock()
	for {
		if _, err := windows.WaitForSingleObject(d.op.event, windows.INFINITE); err != nil {
			// The system goes on writing to this memory, and there is nothing left by which its end
			// could be told. Only a program that closes handles which are not its own gets here.
			panic("winsock: the event of a pending operation is gone: " + err.Error())
		}
		if atomic.LoadUintptr(&d.op.overlapped.Internal) != uintptr(windows.STATUS_PENDING) {
			break
		}
	}
	s.mu.Lock()
	d.pending = false
	s.mu.Unlock()
}

// interrupt cancels the call under way, if any. The caller holds s.mu.
func (s *socket) interrupt(d *direction) {
	if d.pending {
		// It fails only with ERROR_NOT_FOUND: the call has completed by itself.
		_ = windows.CancelIoEx(s.handle, &d.op.overlapped)
	}
}
