// Package net is package net of the standard library under another import path, for programs that
// pass descriptors: with it they run on Windows, where its Unix sockets are those of the pipe
// transport of package afunix.
//
// # How to use it
//
// In the files of a program that deal with Unix sockets, these imports change, and nothing else:
//
//	"net"                   becomes  "afunix/dropin/net"
//	"syscall"               becomes  "afunix/dropin/syscall"
//	"golang.org/x/sys/unix" becomes  "afunix/dropin/unix"
//
// The program's go.mod has to require module afunix (with a replace directive, if that is a copy on
// disk), and Go 1.26 or later. Files that are built on Unix only, by a build constraint or because
// they are called x_linux.go, are to be built on Windows, too. A package that keeps the original
// import goes on using the system's sockets: both types of connection are a [Conn], but a *UnixConn
// of one is not one of the other.
//
// To see on Linux what a program will do on Windows, build it with the tag afunix_pipe:
//
//	go test -tags afunix_pipe ./...
//
// On Unix every name is otherwise that of package net. On Windows, and on Linux with the tag, those
// that deal with Unix sockets are our own, with the same methods, errors and behaviour: [UnixConn],
// [UnixListener], [Dial], [DialTimeout], [DialUnix], [Dialer], [Listen], [ListenPacket],
// [ListenUnix], [ListenUnixgram], [ListenConfig], [FileConn], [FileListener], [FilePacketConn] and
// [Buffers]. All others, and all other networks, are package net's.
//
// # What cannot be had over the pipe transport
//
// Descriptors:
//
//   - A connection or listener of it that is sent (by [UnixConn.WriteMsgUnix]) moves: all its
//     descriptors in the sender behave as closed then. A kernel would have made a copy; but an end
//     of a pipe belongs to one process.
//   - What [UnixConn.File] returns, and Socketpair, has a descriptor that stands for the
//     connection: [FileConn], and the calls of packages afunix/dropin/syscall and
//     afunix/dropin/unix, know it, and what is written to it by way of package os is sent. It
//     cannot be read by way of package os (EBADF; access denied on Windows): make a connection of
//     it. What has been sent to a connection is in a queue in this process, with boundaries and
//     descriptors. To give it to whoever reads the descriptor it would have to be put there before
//     anybody reads, since no system tells that somebody waits for it, and would be lost to all
//     others who read the connection.
//   - A child process that inherits such a descriptor (ExtraFiles, Stdin) cannot use it as a
//     connection: the descriptor is not all that a connection consists of, and the peer knows this
//     process. (Package os/exec has no ExtraFiles on Windows in any case.) Make the pair with
//     package afunix, and use its AttachTo and Inherited; or send the end over a connection.
//   - On Windows, [FileConn] of a received TCP or UDP socket is no *[TCPConn] or *[UDPConn], nor
//     [FileListener] of one a *[TCPListener]. A *TCPConn can do no I/O but by way of Go's poller;
//     Windows binds a socket to one poller for good, the sender's; and if it were bound to ours,
//     what the sender still does with it could crash this process. They are a [Conn], a
//     [PacketConn] and a [Listener] with deadlines, and the connection has CloseRead, CloseWrite,
//     SetKeepAlive, SetKeepAlivePeriod, SetLinger, SetNoDelay, SetReadBuffer, SetWriteBuffer and
//     SyscallConn: instead of the type, ask for an interface with the methods that are needed.
//   - On Windows, File of a *[TCPConn] or *[TCPListener], and so a descriptor to send, takes the
//     socket from Go's poller. While an Accept, Read or Write of it is under way that fails; with
//     Go 1.27 at once, by a look at what this process does. Send such a socket before it is used,
//     or end the call by a deadline first. (WriteMsg of package afunix takes the socket itself, at
//     any time.)
//
// Connections:
//
//   - The copies of a connection (by File and FileConn) share their deadlines.
//   - A datagram socket that is connected, by [Dial] or because it is an end of a pair, can send to
//     its peer only: to name another destination is EISCONN, where Linux would send there. Use one
//     that [ListenUnixgram] has made.
//   - [UnixConn.WriteMsgUnix] on a stream writes everything, and waits until it can, where package
//     net writes as much as there is room for.
//   - [Dialer] and [ListenConfig] refuse a Control function for Unix networks: there is no
//     descriptor then that it could be shown.
//   - [Listen] of "unixgram", and [ListenPacket] of "unix" and "unixpacket", of which package net
//     makes sockets that are of no use, are left to it, and are no *[UnixListener] and *[UnixConn]
//     of this package.
//
// Types: [Dialer], [ListenConfig] and [Buffers] are types of their own there, which can be
// converted to those of package net.
//
// Errors are those of the version of Go that builds the program: ReadFrom, ReadFromUnix and
// ReadMsgUnix return io.EOF itself since Go 1.27, and in an *[OpError] before that, over either
// transport.
//
// Names are those of the version of Go with which the files were generated. Variables of package
// net are copied when the program starts: assigning to DefaultResolver changes it here only.
package net

//go:generate go run afunix/dropin/internal/gen net
