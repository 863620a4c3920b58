// Package afunix gives a program the whole of AF_UNIX on every system: stream, datagram and
// seqpacket sockets, pairs of them, the credentials of the peer, and descriptor passing. A process
// hands an open file, pipe, socket or listener to another process inside a message:
//
//	conn.WriteMsg([]byte("here it is"), file)    // any *os.File, *net.TCPConn, *net.TCPListener, …
//
//	msg, err := conn.ReadMsg(buf)                // in the other process
//	file, err := msg.Rights.File(0)
//
// Networks and addresses are those of package net: "unix", "unixpacket" and "unixgram", a path or
// "@name". So are the errors: an *[net.OpError] around an *[os.SyscallError] around a
// [syscall.Errno]. What a system cannot do is an error that wraps [errors.ErrUnsupported].
//
// # Transports
//
// The kernel transport is the system's own AF_UNIX, and the default wherever that passes
// descriptors: on Linux, macOS and the BSDs. The pipe transport carries messages over a message
// pipe, and duplicates descriptors from process to process; it is the default on Windows, whose own
// AF_UNIX is a byte stream and nothing else. Plan 9 and WebAssembly have neither: there this
// package compiles, and whatever makes a socket is [errors.ErrUnsupported].
//
// # Descriptors
//
// Files are lent to [Conn.WriteMsg] for the duration of the call. What [Conn.ReadMsg] received
// belongs to the [Rights] of the message, until it is taken out of there or Rights is closed. Child
// processes never inherit it.
//
// Either side may send. To receive descriptors from a stranger is safe, but to use them may not be:
// an operation on a file of another's choice can block for ever. Ask [Rights.Kind] first, and
// [Conn.PeerCredentials] who the peer is; or refuse strangers with Authorize in [Dialer] and
// [ListenConfig].
package afunix
