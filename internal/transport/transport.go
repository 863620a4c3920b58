// Package transport says what the public API asks of a transport. The kernel transport and the pipe transport satisfy
// it; their errors are plain (syscall.Errno, io.EOF, net.ErrClosed, os.ErrDeadlineExceeded and the sentinels of
// package descriptor) and are wrapped once, at the root.
package transport

import (
	"net"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
)

// A Conn is a socket that does not listen.
type Conn interface {
	// Read and Write are those of net.Conn. Read discards descriptors that come with the data, as read(2) does.
	Read(b []byte) (int, error)
	Write(b []byte) (int, error)

	// Send sends b and files as one message, to the socket named to if that is not nil (datagrams), else to the peer.
	// The files are borrowed: the caller keeps them open until Send returns. At most descriptor.Max; the caller checks.
	Send(b []byte, files []File, to *net.UnixAddr) (int, error)

	// Recv receives one message into b. The caller owns Rights. Rights that came but could not be installed are
	// reported as descriptor.ErrRightsTruncated beside the data. With peek, the message stays, and the rights are
	// duplicates.
	Recv(b []byte, peek bool) (Message, error)

	Close() error
	CloseRead() error
	CloseWrite() error
	SetDeadline(t time.Time) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
	SetPassCredentials(on bool) error

	// PassCredentials returns what SetPassCredentials has set.
	PassCredentials() (bool, error)

	// ReadBuffer and WriteBuffer return SO_RCVBUF and SO_SNDBUF, which on Linux are not what was
	// set: see socket(7).
	ReadBuffer() (int, error)
	WriteBuffer() (int, error)

	// PendingError returns SO_ERROR, and takes it away; nil if there is none.
	PendingError() error

	// PeerCredentials are the system's word for the process at the other end (SO_PEERCRED), never a packet's.
	PeerCredentials() (cred.Credentials, error)

	LocalAddr() *net.UnixAddr  // never nil; Name "" where there is none
	RemoteAddr() *net.UnixAddr // nil where there is none
	SyscallConn() (syscall.RawConn, error)
}

// A Listener is a socket that listens.
type Listener interface {
	// Accept waits for the next connection. One that Authorize refused is never returned.
	Accept() (Conn, error)
	Close() error
	SetDeadline(t time.Time) error
	SetUnlinkOnClose(unlink bool)
	SetPassCredentials(on bool) error // of connections that come from now on
	Addr() *net.UnixAddr
	SyscallConn() (syscall.RawConn, error)
}

// A File is one descriptor to be sent.
type File struct {
	Value uintptr // the descriptor, if End is nil
	End   any     // a Conn or Listener of the pipe transport, which moves instead of being duplicated
}

// A Message is what Recv received.
type Message struct {
	N           int               // bytes in the caller's buffer
	Rights      *descriptor.Set   // nil if no descriptors came
	Credentials *cred.Credentials // nil without SetPassCredentials
	From        *net.UnixAddr     // datagrams: the sender's name, nil if it has none
	Truncated   bool              // the record was longer than the buffer
}
