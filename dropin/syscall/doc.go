// Package syscall is package syscall of the standard library under another import path, for
// programs that pass descriptors: with it they run on Windows, over the pipe transport of package
// afunix. How to use it is said in package afunix/dropin/net.
//
// On Unix every name is that of package syscall. On Linux with the build tag afunix_pipe, and on
// Windows, the calls that take the descriptor of a socket of that transport know it as such:
// [Socketpair], [Sendmsg], [SendmsgN], [Recvmsg], [Sendto], [Recvfrom], [Read], [Write], [Close],
// [CloseOnExec], [SetNonblock], [Shutdown], [Getsockname], [Getpeername], and all that get and set
// options of level SOL_SOCKET. Other descriptors they hand to the system. What a socket that is
// such a number cannot do is said in package afunix/dropin/net, too.
//
// Windows gets what Linux has for messages with descriptors, with the values and the layout of
// Linux: [UnixRights], [ParseUnixRights], [ParseSocketControlMessage], [UnixCredentials],
// [ParseUnixCredentials], [CmsgSpace], [CmsgLen], MSG_…, SCM_…, SO_PASSCRED, SO_PEERCRED. A
// descriptor is an int of 4 bytes in a message, and there may be a handle behind it; functions that
// Windows has already take either type, int and [Handle]. SOL_SOCKET is that of Linux there;
// functions of this package that take a level translate it for Windows' own sockets.
//
// # Flags
//
// On sockets of the pipe transport MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL, MSG_TRUNC and
// MSG_CMSG_CLOEXEC do what they do on Linux (but on Windows nothing received is inherited by child
// processes in any case). MSG_OOB is EOPNOTSUPP, as with a kernel that lacks it. Other flags change
// nothing there, and nothing here: there are no signals that MSG_NOSIGNAL could keep away.
//
// A call that is not to wait, by MSG_DONTWAIT or [SetNonblock], waits five milliseconds before it
// says EAGAIN, and up to 25 if the machine is busy: what has been sent is in a pipe first, and is
// taken out of that by goroutines, perhaps of another process.
//
// # Options
//
// Sockets of the pipe transport have these options, and answer as Linux's kernel does, by whatever
// function they are asked: SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_ERROR, SO_PEERCRED,
// SO_PASSCRED, SO_SNDBUF, SO_RCVBUF, SO_SNDTIMEO, SO_RCVTIMEO; and, which change nothing there or
// here, SO_LINGER, SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST and SO_OOBINLINE, and SO_SNDLOWAT and
// SO_RCVLOWAT, which are 1. Others are ENOPROTOOPT. A timeout is kept to the microsecond, and not
// rounded up to the kernel's clock; it bounds calls of these packages that name the descriptor, and
// not those of package net's connections, which do not wait in system calls.
//
// SO_SNDBUF is 425,984 at most, as under the kernel's own limit of many years. SO_PASSCRED and
// SO_SNDBUF move with a socket that is sent, other options stay behind, also those of listeners.
// SO_PEERCRED of a listener that was received is that of nobody.
//
// On Windows the names have the values that its own sockets know, and SO_PASSCRED, SO_PEERCRED,
// SO_DOMAIN and SO_PROTOCOL those of Linux. (So SO_DONTROUTE is SO_PASSCRED to a socket of the pipe
// transport.) Names of Linux's options that mean nothing here are missing there.
//
// # What cannot be had
//
// Over the pipe transport a process can send no credentials but its own (EPERM, for root as well).
// A call that is not in the list above takes the descriptor for what it is to the system, and says
// ENOTSOCK, or the like. To poll(2), select(2) and epoll(7) it is a pipe that can always be written
// to and never read: wait in calls that wait, with deadlines of [afunix/dropin/net.UnixConn], or in
// goroutines.
//
// Names are those of the version of Go with which the files were generated. Those that only some
// architectures have are there on those, as in package syscall. [ForkLock] is a pointer to that of
// package syscall: it is locked in the same way. Other variables are copied when the program
// starts, and SocketDisableIPv6, which is there to be assigned to, is missing: set it in package
// syscall.
package syscall

//go:generate go run afunix/dropin/internal/gen syscall
