// Package net is package net of the standard library under another import path, for programs that pass descriptors: with it they run on
// Windows, where its Unix sockets are those of the pipe transport of package afunix.
//
// On Linux, macOS and FreeBSD every name is that of package net. On Windows, and on Linux with the build tag afunix_pipe, those that
// deal with Unix sockets are our own, with the same methods, errors and behaviour: [UnixConn], [UnixListener], [Dial], [DialTimeout],
// [DialUnix], [Dialer], [Listen], [ListenPacket], [ListenUnix], [ListenUnixgram], [ListenConfig], [FileConn], [FileListener] and
// [FilePacketConn]. All others, and all other networks, are package net's.
//
// What cannot be had over the pipe transport:
//
//   - A connection or listener of it that is sent (by [UnixConn.WriteMsgUnix]) moves: all its descriptors in the sender behave as
//     closed then. A kernel would have made a copy.
//   - What [UnixConn.File] returns has a descriptor that stands for the connection: [FileConn], and the calls of packages
//     afunix/dropin/syscall and afunix/dropin/unix, know it. Nobody else does: it cannot be read by way of package os (EBADF; access
//     denied on Windows), nor used by a child process that inherits it.
//   - The copies of a connection share their deadlines.
//   - On Windows, [FileConn] of a received TCP or UDP socket is no *[TCPConn] or *[UDPConn], but has what a [Conn] has: Go's poller
//     cannot serve a socket that another process has had in its own.
//   - [Dialer] and [ListenConfig] are types of their own there, which can be converted to those of package net, and refuse a Control
//     function for Unix networks.
//
// Names are those of the version of Go with which the files were generated. Variables of package net are copied when the program starts: assigning to DefaultResolver changes it here only.
package net

//go:generate go run afunix/dropin/internal/gen net
