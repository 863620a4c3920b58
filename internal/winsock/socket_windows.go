package winsock

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"afunix/internal/locks"
)

// A socket is what [Conn], [Listener] and [PacketConn] have in common: the handle, its addresses,
// deadlines, Close.
type socket struct {
	handle  windows.Handle
	info    windows.WSAProtocolInfo
	net     string // as package net names it: "tcp", "udp", …
	local   net.Addr
	remote  net.Addr // nil if not connected
	listens bool

	reading, writing direction

	mu     locks.Mutex[locks.Socket]
	closed bool
	uses   int           // calls under way; the handle stays open for them
	unused chan struct{} // made by Close, if there are any, and closed by the last of them
}

// Socket options that x/sys lacks (winsock2.h).
const (
	soAcceptConn   = 0x0002
	soProtocolInfo = 0x2005
)

// newSocket takes ownership of h if it is a socket of the given type (SOCK_STREAM, SOCK_DGRAM), and
// leaves it alone otherwise. A socket that nobody refers to any more is closed by a finalizer, as
// in package net.
func newSocket(h windows.Handle, sotype int32) (*socket, error) {
	s := &socket{handle: h}
	size := int32(unsafe.Sizeof(s.info))
	err := windows.Getsockopt(h, windows.SOL_SOCKET, soProtocolInfo, (*byte)(unsafe.Pointer(&s.info)), &size)
	if err != nil {
		return nil, syscallError("getsockopt", err)
	}
	if s.info.SocketType != sotype {
		return nil, windows.WSAEPROTOTYPE
	}
	s.net = network(s.info.AddressFamily, sotype)
	s.local = s.address(windows.Getsockname(h))
	s.remote = s.address(windows.Getpeername(h))
	// A stranger's socket may linger, and one goroutine runs all finalizers.
	runtime.SetFinalizer(s, func(s *socket) { go s.Close() })
	return s, nil
}

// use keeps the handle open until done is called; net.ErrClosed once Close was called.
func (s *socket) use() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.uses++
	return nil
}

func (s *socket) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uses--
	if s.uses == 0 && s.unused != nil {
		close(s.unused)
	}
}

// Close closes the socket here. Blocked calls return net.ErrClosed; Close returns after them.
// Closing the handle alone would not wake them while another process has the socket open, and they
// would go on writing to our memory.
func (s *socket) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return s.wrap("close", net.ErrClosed)
	}
	s.closed = true
	for _, d := range s.directions() {
		d.stopTimer()
		s.interrupt(d)
	}
	unused := make(chan struct{})
	if s.uses > 0 {
		s.unused = unused
	} else {
		close(unused)
	}
	s.mu.Unlock()
	<-unused

	runtime.SetFinalizer(s, nil)
	err := syscallError("closesocket", windows.Closesocket(s.handle))
	for _, d := range s.directions() {
		if d.op.event != 0 {
			err = errors.Join(err, syscallError("closehandle", windows.CloseHandle(d.op.event)))
		}
	}
	return s.wrap("close", err)
}

func (s *socket) directions() [2]*direction { return [2]*direction{&s.reading, &s.writing} }

// syscallError names the call that failed, as package net does. err may be nil; errors of our own
// pass as they are.
func syscallError(call string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

// wrap makes the *net.OpError that package net would return for op; nil stays nil.
func (s *socket) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if s.listens || op == "set" || strings.HasPrefix(op, "raw-") {
		return &net.OpError{Op: op, Net: s.net, Addr: s.local, Err: err}
	}
	return &net.OpError{Op: op, Net: s.net, Source: s.local, Addr: s.remote, Err: err}
}

// SyscallConn gives access to the socket, for one thing so that it can be sent on. It cannot wait
// for the socket to become ready: Read and Write of the result fail with errors.ErrUnsupported.
func (s *socket) SyscallConn() (syscall.RawConn, error) { return rawConn{s}, nil }

type rawConn struct{ s *socket }

// Control calls f with the socket, which stays open meanwhile. f must not call Close, nor close the
// socket itself.
func (c rawConn) Control(f func(fd uintptr)) error {
	if err := c.s.use(); err != nil {
		return c.s.wrap("raw-control", err)
	}
	defer c.s.done()
	f(uintptr(c.s.handle))
	return nil
}

func (c rawConn) Read(func(fd uintptr) bool) error {
	return c.s.wrap("raw-read", errors.ErrUnsupported)
}

func (c rawConn) Write(func(fd uintptr) bool) error {
	return c.s.wrap("raw-write", errors.ErrUnsupported)
}
