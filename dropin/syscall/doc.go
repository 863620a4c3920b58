// Package syscall is package syscall of the standard library under another import path, for
// programs that pass descriptors. With it such programs run on Windows, over the pipe transport of
// package afunix. Package afunix/dropin/net says how to use it.
//
// On Unix every name is that of package syscall. On Linux with the build tag afunix_pipe, and on
// Windows, calls that take the descriptor of a socket of the pipe transport know it as such:
// [Socketpair], [Sendmsg], [SendmsgN], [Recvmsg], [Sendto], [Recvfrom], [Read], [Write], [Close],
// [CloseOnExec], [SetNonblock], [Shutdown], [Getsockname], [Getpeername], and all that get and set
// options of level SOL_SOCKET. These calls hand other descriptors to the system. Package
// afunix/dropin/net also says what a socket cannot do that is such a number.
//
// Windows gets what Linux has for messages with descriptors, with the values and the layout of
// Linux: [UnixRights], [ParseUnixRights], [ParseSocketControlMessage], [UnixCredentials],
// [ParseUnixCredentials], [CmsgSpace], [CmsgLen], MSG_…, SCM_…, SO_PASSCRED, SO_PEERCRED. A
// descriptor is an int of 4 bytes in a message, and a handle may be behind the int. Functions that
// package syscall of Windows has already take either type, int and [Handle]. SOL_SOCKET is that of
// Linux there. Functions of this package that take a level translate it for Windows' own sockets.
//
// # Flags
//
// On sockets of the pipe transport MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL, MSG_TRUNC and
// MSG_CMSG_CLOEXEC do what they do on Linux. (On Windows child processes inherit nothing that was
// received, with or without the last flag.) MSG_OOB is EOPNOTSUPP, as with a kernel that lacks it.
// Other flags change nothing on AF_UNIX sockets of Linux, and change nothing here. There are no
// signals that MSG_NOSIGNAL could keep away.
//
// A call that is not to wait, by MSG_DONTWAIT or [SetNonblock], waits five milliseconds before it
// says EAGAIN, and up to 25 if the machine is busy. What has been sent is in a pipe first.
// Goroutines take it out of the pipe, and they may be another process's.
//
// # Options
//
// Sockets of the pipe transport have these options, and answer as Linux's kernel does, by whatever
// function they are asked: SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_ERROR, SO_PEERCRED,
// SO_PASSCRED, SO_SNDBUF, SO_RCVBUF, SO_SNDTIMEO, SO_RCVTIMEO. They also have options that change
// nothing on Linux, and nothing here: SO_LINGER, SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST and
// SO_OOBINLINE, and SO_SNDLOWAT and SO_RCVLOWAT, which are 1. Other options are ENOPROTOOPT. A
// timeout is kept to the microsecond, and is not rounded up to the kernel's clock. A timeout bounds
// calls of these packages that name the descriptor. It does not bound calls of package net's
// connections, which do not wait in system calls.
//
// SO_SNDBUF is 425,984 at most, as under the kernel's own limit of many years. SO_PASSCRED and
// SO_SNDBUF move with a socket that is sent. Other options stay behind, and so do all options of
// listeners. SO_PEERCRED of a listener that was received is that of nobody.
//
// On Windows the names have the values that Windows' own sockets know, except that SO_PASSCRED,
// SO_PEERCRED, SO_DOMAIN and SO_PROTOCOL have those of Linux. (So SO_DONTROUTE is SO_PASSCRED to a
// socket of the pipe transport.) Names of Linux's options that mean nothing here are missing there.
//
// # What cannot be had
//
// Over the pipe transport a process can send no credentials but its own (EPERM, for root as well).
// A call that is not in the list above takes the descriptor for what it is to the system, and says
// ENOTSOCK, or the like. To poll(2), select(2) and epoll(7) the descriptor is a pipe that can
// always be written to and never read: wait in calls that wait, with deadlines of
// [afunix/dropin/net.UnixConn], or in goroutines.
//
// Names are those of the version of Go with which the files were generated. Names that only some
// architectures have are there on those architectures, as in package syscall. [ForkLock] is a
// pointer to that of package syscall, and is locked in the same way. Other variables are copied
// when the program starts. SocketDisableIPv6 is there to be assigned to, and is missing: set it in
// package syscall.
package syscall

//go:generate go run afunix/dropin/internal/gen syscall
