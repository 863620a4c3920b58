// Package syscall is package syscall of the standard library under another import path, for programs that pass descriptors: with it they
// run on Windows, over the pipe transport of package afunix.
//
// On Linux, macOS and FreeBSD every name is that of package syscall. On Linux with the build tag afunix_pipe, and on Windows, the calls that
// take the descriptor of a socket of that transport know it as such: [Socketpair], [Sendmsg], [SendmsgN], [Recvmsg], [Read], [Write],
// [Close], [CloseOnExec], [SetNonblock], [Shutdown], [Getsockname], [Getpeername], [GetsockoptUcred], [GetsockoptInt], [SetsockoptInt]. Other descriptors they hand to the
// system. What a socket that is such a number cannot do is said in package afunix/dropin/net.
//
// Windows gets what Linux has for messages with descriptors, with the values and the layout of Linux: [UnixRights], [ParseUnixRights],
// [ParseSocketControlMessage], [UnixCredentials], [ParseUnixCredentials], [CmsgSpace], [CmsgLen], MSG_…, SCM_…, SO_PASSCRED, SO_PEERCRED. A
// descriptor is an int of 4 bytes in a message, and there may be a handle behind it; functions that Windows has already take either type, int
// and [Handle]. SOL_SOCKET is that of Linux there; functions of this package that take a level translate it for Windows' own sockets.
//
// Over the pipe transport a process can send no credentials but its own (EPERM, for root as well), MSG_WAITALL does not wait for more, a call
// that is not to wait may take a few milliseconds, and poll(2) and the like know nothing of an end: use its deadlines.
//
// Names are those of the version of Go with which the files were generated. Those that only some architectures have are there on
// those, as in package syscall. [ForkLock] is a pointer to that of package syscall:
// it is locked in the same way. Other variables are copied when the program starts, and SocketDisableIPv6, which is there to be
// assigned to, is missing: set it in package syscall.
package syscall

//go:generate go run afunix/dropin/internal/gen syscall
