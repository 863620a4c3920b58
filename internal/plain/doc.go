// Package plain dials programs of Windows that are not afunix, and have a stream of bytes for their
// clients: the server of a named pipe, of a socket file of GnuPG, of a socket file of Cygwin. (A
// socket of Windows' own AF_UNIX is package kernel's.) On other systems it is empty but for what a
// socket file says.
//
// Such a stream carries no descriptors. Who the server is, the system says.
package plain
