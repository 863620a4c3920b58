// Package plain has streams of bytes to programs of Windows that are not afunix. It dials the
// server of a named pipe, of a socket file of GnuPG, of a socket file of Cygwin. (A socket of
// Windows' own AF_UNIX is package kernel's.) And it accepts the clients of a public name, whom a
// listener of the pipe transport has as guests. On other systems it is empty but for what a socket
// file says.
//
// Such a stream carries no descriptors. Who is at its other end, the system says.
package plain
