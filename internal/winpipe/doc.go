// Package winpipe has the message pipes of Windows: named pipes in message mode, the socket files
// and abstract names by which they are found, and the process at the other end, into and out of
// which handles are duplicated.
//
// A [Pipe] satisfies the contract in package pipe; nothing here knows what a packet means.
//
// Which file has what:
//
//	pipe_windows.go     one end of a pipe: reading, writing, closing; readnow_windows.go: reading without waiting
//	end_windows.go      its handle, and waiting for packets by Go's poller; foreign_windows.go: waiting by events
//	listen_windows.go   names that are bound; instance_windows.go: a server's end that waits for its client
//	open_windows.go     ends that another process has handed on; examine_windows.go: what they are, if they are what they should be
//	suspend_windows.go  listeners that are handed on; state.go: what they take along
//	dial_windows.go     from a name to the pipe behind it; pairs
//	process_windows.go  the process at the other end: who it is, and handles to and from it
//	origin_windows.go   what the system says about that process, and what follows
//	security_windows.go users, integrity, security descriptors
//	sockfile.go         what a socket file contains; sockfile_windows.go makes, finds and removes it
//	name.go             abstract names, and what a name may be; proof.go: what a hello carries
//	errno_windows.go    Windows' errors with Linux's meaning
//
// # Where a name leads
//
// A listener serves all its clients on one pipe name. For a path that name is random, and the
// socket file holds it. For an abstract name ("@name") it is derived from the user and the name,
// and the kernel forgets it with the last handle.
//
// A pipe's name exists as long as one of its connections does, which may be longer than its
// listener. That somebody listens is therefore shown by a second pipe, the sentinel: nobody
// connects to it, it allows one instance only, and so it is also what makes an abstract name belong
// to one listener at a time.
//
// # Ends and listeners that move
//
// An end is handed on by duplicating its handle into another process, which opens it there; so is a
// listener, whose handles are the sentinel and the instances that wait. Two things are dangerous
// about such a handle. Its file object may be bound to the completion port of the process that had
// it before, so it is read with events and never given to Go's poller. And a stranger may have
// chosen it, so it is examined before anything is done to it that could wait.
//
// # Wine
//
// Wine does not enforce FILE_FLAG_FIRST_PIPE_INSTANCE, reports no owner of a pipe, and its
// impersonation yields the server itself. What depends on these is in functions of its own, and
// their tests skip themselves on Wine by name.
package winpipe
