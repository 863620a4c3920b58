// Package unix is golang.org/x/sys/unix under another import path, for programs that pass
// descriptors: with it they run on Windows, over the pipe transport of package afunix. How to use
// it is said in package afunix/dropin/net; what flags do on sockets of that transport, and what
// these cannot do, in package afunix/dropin/syscall.
//
// On Unix every name is that of golang.org/x/sys/unix. On Linux with the build tag afunix_pipe, the
// calls that take the descriptor of a socket of that transport know it as such: those that package
// afunix/dropin/syscall names, [Send], [RecvmsgBuffers] and [SendmsgBuffers].
//
// Names are those of the version of golang.org/x/sys that package afunix requires. A program may
// require a later one; a name that is new in it is missing here, and is to be had from there.
//
// On Windows, where the original has nothing at all, this is the part of package
// afunix/dropin/syscall that deals with Unix sockets, and the numbers of errors and signals.
package unix

//go:generate go run afunix/dropin/internal/gen golang.org/x/sys/unix
