// Package unix is golang.org/x/sys/unix under another import path, for programs that pass descriptors: with it they run on Windows, over
// the pipe transport of package afunix.
//
// On Linux, macOS and FreeBSD every name is that of golang.org/x/sys/unix. On Linux with the build tag afunix_pipe, the calls that take the
// descriptor of a socket of that transport know it as such: those that package afunix/dropin/syscall names, and [RecvmsgBuffers] and
// [SendmsgBuffers].
//
// Names are those of the version of golang.org/x/sys that package afunix requires; a later one may have more.
//
// On Windows, where the original has nothing at all, this is the part of package afunix/dropin/syscall that deals with Unix sockets, and the
// numbers of errors and signals.
package unix

//go:generate go run afunix/dropin/internal/gen golang.org/x/sys/unix
