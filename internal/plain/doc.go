// Package plain has streams of bytes to programs of Windows that are not afunix. It dials those that
// have such a stream for their clients: the server of a named pipe, of a socket file of GnuPG, of a
// socket file of Cygwin. (A socket of Windows' own AF_UNIX is package kernel's.) And it makes such a
// stream of a client that has come to a public name of ours. On other systems it is empty but for
// what a socket file says.
//
// Such a stream carries no descriptors. Who the other side is, the system says.
package plain
