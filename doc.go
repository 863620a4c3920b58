// Package afunix gives a program the whole of AF_UNIX on every system: stream, datagram and
// seqpacket sockets, pairs of them, the credentials of the peer, and descriptor passing. A process
// hands an open file, pipe, socket or listener to another process inside a message:
//
//	conn.WriteMsg([]byte("here it is"), file)    // any *os.File, *net.TCPConn, *net.TCPListener, …
//
//	msg, err := conn.ReadMsg(buf)                // in the other process
//	file, err := msg.Rights.File(0)
//
// Networks, addresses and errors are those of package net. The networks are "unix", "unixpacket"
// and "unixgram". An address is a path or "@name". An error is an *[net.OpError] around an
// *[os.SyscallError] around a [syscall.Errno]. What a system cannot do is an error that wraps
// [errors.ErrUnsupported].
//
// # Transports
//
// The kernel transport is the system's own AF_UNIX. It is the default wherever AF_UNIX passes
// descriptors: on Linux, macOS and the BSDs. The pipe transport carries messages over a message
// pipe, and duplicates descriptors from process to process. It is the default on Windows, whose own
// AF_UNIX is a byte stream and nothing else. Plan 9 and WebAssembly have neither transport: there
// this package compiles, and every call that makes a socket is [errors.ErrUnsupported].
//
// # Sockets of others
//
// A socket that a program has inherited becomes a [Conn] or [Listener] by [FileConn] and
// [FileListener], and [Conn.File] is the way back. Package afunix/activation takes over the sockets
// of a service manager. On Windows, and over the pipe transport elsewhere, a process inherits an
// end by [Conn.AttachTo] and [Inherited].
//
// # Descriptors
//
// Files are lent to [Conn.WriteMsg] for the duration of the call. A descriptor that [Conn.ReadMsg]
// received belongs to the [Rights] of the message, until it is taken out of there or Rights is
// closed. Child processes never inherit it.
//
// Either side may send. It is safe to receive descriptors from a stranger. It may not be safe to
// use them: an operation on a file of a stranger's choice can block for ever. Ask [Rights.Kind]
// first what a descriptor is, and [Conn.PeerCredentials] who the peer is. Or refuse strangers with
// Authorize in [Dialer] and [ListenConfig].
package afunix
