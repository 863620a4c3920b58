// Package ends gives the ends of the pipe transport descriptors: numbers that existing programs
// hold as int, pass to system calls, wrap in an os.File and close.
//
// The number is that of a real descriptor, the writing end of a pipe whose reading end is kept
// here. So the number can collide with no other. When it is closed, be it by package os or by a
// system call, the reading end comes to its end, and so this package notices. Copies of the number
// (dup(2); but not what DuplicateHandle makes on Windows) are what copies of a socket are.
//
// What is written to the number as if it were the socket goes to the socket. Reading from it in
// that way is not possible and fails (EBADF; access denied on Windows), because no data would ever
// come.
//
// An [End] is what the kernel calls an open file description, and closes when the last [Ref] to it
// is closed. Refs are what the connections and listeners of package dropin/net are made of, and
// each number has one.
package ends
