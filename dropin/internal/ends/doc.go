// Package ends gives the ends of the pipe transport descriptors: numbers that existing programs
// hold as int, pass to system calls, wrap in an os.File and close.
//
// The number is that of a real descriptor, the writing end of a pipe whose reading end is kept
// here. So it can collide with no other; whoever closes it, be it package os or a system call, is
// noticed, because the reading end then comes to its end; and copies of it (dup(2); but not what
// DuplicateHandle makes on Windows) are what copies of a socket are. What is written to it as if it
// were the socket goes to the socket. Reading from it is not possible that way and fails (EBADF;
// access denied on Windows): no data would ever come.
//
// An [End] is what the kernel calls an open file description, and closes when the last [Ref] to it
// is closed. Refs are what the connections and listeners of package dropin/net are made of, and
// each number has one.
package ends
