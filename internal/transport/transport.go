// Package transport says what the public API asks of a transport. There are two that pass
// descriptors, in packages kernel and piped, and one that does not, in package plain. Package
// transports has them by their numbers. Their errors are plain (syscall.Errno, io.EOF,
// net.ErrClosed, os.ErrDeadlineExceeded and the sentinels of package descriptor) and are wrapped
// once, at the root.
package transport

import (
	"context"
	"io/fs"
	"net"
	"syscall"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
)

// An ID is the number of a transport in the public API.
type ID int

// The numbers.
const (
	Default ID = iota // whichever is best on this system
	Kernel            // the system's own AF_UNIX
	Pipe              // our packets over a message pipe
	Plain             // a stream of bytes to a program that is not afunix
)

// A Transport makes sockets. A network is "unix", "unixpacket" or "unixgram", and a name is a path
// or "@name". What a transport lacks is errors.ErrUnsupported.
type Transport interface {
	// Dial connects a socket to the one called name. If laddr is not nil, the socket is bound to
	// that before; to a name of the system's choice if laddr has none. A datagram socket with a
	// laddr may be dialled to "": it is bound only. authorize, if not nil, may refuse the peer;
	// then nothing has been sent to it.
	Dial(ctx context.Context, network string, laddr *net.UnixAddr, name string, authorize Authorize) (Conn, error)

	// Listen listens for connections at name, or at one of the system's choice if that is "".
	Listen(ctx context.Context, network, name string, o Options) (Listener, error)

	// ListenPacket binds a datagram socket to name, or to a name of the system's choice if name is
	// "". Such a socket has no peer about whom o.Authorize could be asked.
	ListenPacket(ctx context.Context, network, name string, o Options) (Conn, error)

	// Pair returns two sockets that are connected to each other.
	Pair(network string) (a, b Conn, err error)

	// Inherit makes a socket of the descriptor and the state that [Conn.HandDown] has given in the
	// parent process. It owns fd, also if it fails.
	Inherit(fd uintptr, state []byte) (Conn, error)
}

// Authorize says whether a peer is welcome: nil, or why not.
type Authorize = func(cred.Credentials) error

// Options say how to listen.
type Options struct {
	Backlog            int         // as listen(2); 0 is the system's maximum
	Mode               fs.FileMode // exact permission of the socket file; 0 leaves it to the umask, and on Windows is 0600
	Owner, Group       string      // of the socket file, by name or number (SID); "" is whose the process is
	SecurityDescriptor string      // Windows: SDDL for pipe and socket file, in place of the above
	Authorize          Authorize   // of the peers of connections; nil lets everybody in
}

// A Conn is a socket that does not listen.
type Conn interface {
	// Read and Write are those of net.Conn. Read discards descriptors that come with the data, as
	// read(2) does.
	Read(b []byte) (int, error)
	Write(b []byte) (int, error)

	// Send sends b and files as one message, to the socket named to if that is not nil (datagrams),
	// else to the peer. The files are borrowed: the caller keeps them open until Send returns. At
	// most descriptor.Max; the caller checks.
	Send(b []byte, files []File, to *net.UnixAddr) (int, error)

	// WriteBuffers is Write of all slices in one piece: one record, or a part of the stream that no
	// other write comes into. It changes neither b nor the slices. If n is less than there is to
	// write, so much of a stream has been written.
	WriteBuffers(b [][]byte) (n int64, err error)

	// Recv receives one message into b. The caller owns Rights. Rights that came but could not be
	// installed are reported as descriptor.ErrRightsTruncated beside the data. With peek, the
	// message stays, and the rights are duplicates.
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

	// PeerCredentials are the system's word for the process at the other end (SO_PEERCRED), never a
	// packet's.
	PeerCredentials() (cred.Credentials, error)

	LocalAddr() *net.UnixAddr  // never nil; Name "" where there is none
	RemoteAddr() *net.UnixAddr // nil where there is none
	SyscallConn() (syscall.RawConn, error)

	// Socket returns package net's socket, by which the bytes of a stream can be read and written
	// just as well; nil if there is none.
	Socket() net.Conn

	// HandDown gives the socket to a child process that is to be started. give is called with the
	// descriptor, of which the child needs a duplicate, and with the state that Inherit needs
	// beside it; nil if it needs none. If give fails, so does HandDown. An error means that nothing
	// has changed; otherwise the socket is closed here.
	HandDown(give func(fd uintptr, state []byte) error) error

	// Packets tells how many packets the transport has sent and received for the connection; ok is
	// false if there are none to count.
	Packets() (sent, received uint64, ok bool)

	Transport() ID
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
	Transport() ID
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
