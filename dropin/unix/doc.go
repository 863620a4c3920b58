// Package unix is golang.org/x/sys/unix under another import path, for programs that pass
// descriptors. With it such programs run on Windows, over the pipe transport of package afunix.
// Package afunix/dropin/net says how to use it. Package afunix/dropin/syscall says what flags do on
// sockets of the pipe transport, and what such sockets cannot do.
//
// On Unix every name is that of golang.org/x/sys/unix. On Linux with the build tag afunix_pipe,
// calls that take the descriptor of a socket of the pipe transport know it as such: the calls that
// package afunix/dropin/syscall names, [Send], [RecvmsgBuffers] and [SendmsgBuffers].
//
// Names are those of the version of golang.org/x/sys that package afunix requires. A program may
// require a later version. A name that is new in that version is missing here: import it from
// golang.org/x/sys/unix.
//
// On Windows, where golang.org/x/sys/unix has nothing at all, this package has the part of package
// afunix/dropin/syscall that deals with Unix sockets, and the numbers of errors and signals.
package unix

//go:generate go run afunix/dropin/internal/gen golang.org/x/sys/unix
