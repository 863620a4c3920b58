// Package net is package net of the standard library under another import path, for programs that
// pass descriptors. With it such programs run on Windows, where its Unix sockets are those of the
// pipe transport of package afunix.
//
// # How to use it
//
// In the files of a program that deal with Unix sockets, these imports change, and nothing else:
//
//	"net"                   becomes  "afunix/dropin/net"
//	"syscall"               becomes  "afunix/dropin/syscall"
//	"golang.org/x/sys/unix" becomes  "afunix/dropin/unix"
//
// The program's go.mod has to require module afunix (with a replace directive, if the module is a
// copy on disk), and Go 1.26 or later. Files that are built on Unix only, by a build constraint or
// because they are called x_linux.go, are to be built on Windows, too. A package that keeps the
// original import goes on using the system's sockets. Connections of both packages are a [Conn],
// but a *UnixConn of the one package is no *UnixConn of the other.
//
// To see on Linux what a program will do on Windows, build it with the tag afunix_pipe:
//
//	go test -tags afunix_pipe ./...
//
// On Unix every name is otherwise that of package net. On Windows, and on Linux with the tag, the
// names that deal with Unix sockets are our own, with the same methods, errors and behaviour:
// [UnixConn], [UnixListener], [Dial], [DialTimeout], [DialUnix], [Dialer], [Listen],
// [ListenPacket], [ListenUnix], [ListenUnixgram], [ListenConfig], [FileConn], [FileListener],
// [FilePacketConn] and [Buffers]. All other names, and all other networks, are package net's.
//
// # What cannot be had over the pipe transport
//
// Descriptors:
//
//   - A connection or listener of the pipe transport that is sent (by [UnixConn.WriteMsgUnix])
//     moves: all its descriptors in the sender behave as closed then. A kernel would have made a
//     copy, but an end of a pipe belongs to one process.
//   - [UnixConn.File] and Socketpair give descriptors that stand for a connection. [FileConn] knows
//     such a descriptor, and so do the calls of packages afunix/dropin/syscall and
//     afunix/dropin/unix. Data that is written to it by way of package os is sent. It cannot be
//     read by way of package os (EBADF; access denied on Windows): make a connection of it. The
//     reason: what has been sent to a connection is in a queue in this process, with boundaries and
//     descriptors. No system tells that a program waits to read a descriptor, so the data would
//     have to be put there in advance, and would be lost to all others who read the connection.
//   - A child process that inherits such a descriptor (ExtraFiles, Stdin) cannot use it as a
//     connection: a connection consists of more than the descriptor, and the peer knows this
//     process. (Package os/exec has no ExtraFiles on Windows in any case.) Make the pair with
//     package afunix, and use its AttachTo and Inherited; or send the end over a connection.
//   - On Windows, [FileConn] of a received TCP or UDP socket is no *[TCPConn] or *[UDPConn], and
//     [FileListener] of a received socket is no *[TCPListener]. A *TCPConn can do I/O only by way
//     of Go's poller, and Windows binds a socket to one poller for good: the sender's. If the
//     socket were bound to this process's poller, the sender's use of it could crash this process.
//     Instead there are a [Conn], a [PacketConn] and a [Listener] with deadlines. The connection
//     has CloseRead, CloseWrite, SetKeepAlive, SetKeepAlivePeriod, SetLinger, SetNoDelay,
//     SetReadBuffer, SetWriteBuffer and SyscallConn: do not ask for the type, but for an interface
//     with the methods that are needed.
//   - On Windows, File of a *[TCPConn] or *[TCPListener] takes the socket from Go's poller, and so
//     does every way to a descriptor to send. File fails while an Accept, Read or Write of the
//     socket is under way; with Go 1.27 at once, because this package looks at what this process
//     does. Send such a socket before it is used, or end the call by a deadline first. (WriteMsg of
//     package afunix takes the socket itself, at any time.)
//
// Connections:
//
//   - The copies of a connection (by File and FileConn) share their deadlines.
//   - A datagram socket that is connected, by [Dial] or because it is an end of a pair, can send to
//     its peer only. To name another destination is EISCONN, where Linux would send there. Use a
//     socket that [ListenUnixgram] has made.
//   - [UnixConn.WriteMsgUnix] on a stream writes everything, and waits until it can, where package
//     net writes as much as there is room for.
//   - [Dialer] and [ListenConfig] refuse a Control function for Unix networks: there is no
//     descriptor at that time that the function could be shown.
//   - For [Listen] of "unixgram", and for [ListenPacket] of "unix" and "unixpacket", package net
//     makes sockets that are of no use. These calls are left to package net. What they return is no
//     *[UnixListener] and no *[UnixConn] of this package.
//
// A socket file that a dead process has left makes listening fail with EADDRINUSE, as with package
// net. With AFUNIX_REPLACE_STALE=1 in the environment of a process, such a file is replaced where
// the pipe transport listens: see ReplaceStale of afunix.ListenConfig. Then a program that is
// killed can be started again, although its sources do not know how.
//
// Types: [Dialer], [ListenConfig] and [Buffers] are types of their own there, which can be
// converted to those of package net.
//
// Errors are those of the version of Go that builds the program: ReadFrom, ReadFromUnix and
// ReadMsgUnix return io.EOF itself since Go 1.27, and io.EOF in an *[OpError] before that, over
// either transport.
//
// Names are those of the version of Go with which the files were generated. Variables of package
// net are copied when the program starts: assigning to DefaultResolver changes it here only.
package net

//go:generate go run afunix/dropin/internal/gen net
