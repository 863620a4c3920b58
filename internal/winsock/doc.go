// Package winsock makes a [net.Conn], a [net.Listener] or a [net.PacketConn] of a socket that
// another process has sent here on Windows. It does no I/O through the runtime's poller, and so
// cannot use package net. On other systems it is empty: there net.FileConn, net.FileListener and
// net.FilePacketConn do this.
//
// # Why not package net
//
// Windows binds a completion port to a file object, not to a handle, and for good; and the
// duplicates of a socket share their file object. A socket that a Go program was using is bound to
// the port of that program's poller. Here, binding it to our poller fails
// (ERROR_INVALID_PARAMETER), and plain overlapped I/O on it would post its completions to the
// sender's port, with pointers into our memory, on which the sender's runtime crashes.
//
// Each operation here therefore has an event, with the low bit of the handle set in
// OVERLAPPED.hEvent. Then no completion is posted anywhere ("to prevent an asynchronous operation
// from queuing a completion packet": GetQueuedCompletionStatus). So it does not matter whether the
// socket is bound to a port, and to whose.
//
// # What it costs
//
// A blocked Read, Write, Accept or ReadFrom blocks a thread each, as a blocking system call does.
// (The runtime ends a program that has more than 10,000 threads: see runtime/debug.SetMaxThreads.)
// That also holds for the connections that a received listener accepts. Package net would take
// those connections, because they are fresh, but only as an os.File. The os.File that os.NewFile
// makes of a socket is bound to the poller at once, and is later closed by CloseHandle, which is
// not for sockets.
//
// Read and Write allocate nothing, and a connection has no goroutine of its own.
//
// # Other handles of the same socket
//
// Other processes may have the socket open as well. Close ends this process's use of the socket, at
// once, and wakes every blocked call. The connection itself lasts until the last handle is closed.
package winsock
