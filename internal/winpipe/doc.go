// Package winpipe has the message pipes of Windows: named pipes in message mode, the socket files
// and abstract names by which pipes are found, and the process at the other end, into and out of
// which handles are duplicated.
//
// A [Pipe] satisfies the contract in package pipe. Nothing here knows what a packet means.
//
// Which file has what:
//
//	pipe_windows.go      one end of a pipe: reading, writing, closing
//	readnow_windows.go   reading without waiting
//	end_windows.go       the handle of an end, and waiting for packets by Go's poller
//	foreign_windows.go   the same for an end that was handed on: waiting by events
//	timedio_windows.go a read or write with an event; eager_windows.go: a thread that waits for the next packet
//	listen_windows.go    names that are bound; bind_windows.go: names without a listener
//	entrance_windows.go  the instances at which clients of one pipe are waited for
//	instance_windows.go  a server's end that waits for its client
//	guest_windows.go     clients of a public name
//	open_windows.go      ends that another process has handed on
//	examine_windows.go   whether a handle that was handed on is what it should be
//	suspend_windows.go   listeners that are handed on; state.go: what they take along
//	dial_windows.go      from a name to the pipe behind it; pairs
//	find_windows.go      which pipe a name leads to
//	process_windows.go   the process at the other end: who it is, handles to and from it (Push, TakeBack)
//	origin_windows.go    what the system says about that process, and what follows
//	stream_windows.go    an end of a pipe to another program, as a stream of bytes; eventfile_windows.go:
//	                     the same for an end that was handed on; half_windows.go: a direction by events
//	access_windows.go    Mode, Owner and Group as access lists
//	security_windows.go  users, integrity, who may connect by default, security descriptors
//	sockfile.go          what a socket file contains
//	sockfile_windows.go  makes, finds and takes over a socket file; unlink_windows.go removes it
//	name.go              abstract names, and what a name may be; proof.go: what a hello carries
//	errno_windows.go     Windows' errors with Linux's meaning
//
// # Where a name leads
//
// A listener serves all its clients on one pipe name. For a path the pipe name is random, and the
// socket file holds it. For an abstract name ("@name") the pipe name is derived from the user and
// the abstract name, and the kernel forgets the pipe name with the last handle.
//
// For a public name (\\.\pipe\NAME), at which other programs connect, the name of the pipe beside
// it that is ours is derived from NAME alone (publicID). A listener there serves both: packets on
// the private pipe, and a stream of bytes on the public one.
//
// A pipe's name exists as long as one of its connections does, which may be longer than its
// listener. So a second pipe, the sentinel, shows that somebody listens. Nobody connects to the
// sentinel. It allows one instance only, so it also makes an abstract name belong to one listener
// at a time.
//
// # Ends and listeners that move
//
// An end is handed on by duplicating its handle into another process, which makes an end of the
// handle. A listener is handed on in the same way. Its handles are those of the sentinel and of the
// instances that wait. Two things are dangerous about a handle that was handed on:
//
//   - Its file object may be bound to the completion port of the process that had it before. So the
//     handle is read with events, and never given to Go's poller.
//   - A stranger may have chosen it. So the handle is examined before anything is done to it that
//     could wait.
//
// # Wine
//
// Wine does not enforce FILE_FLAG_FIRST_PIPE_INSTANCE, reports no owner of a pipe, and its
// impersonation yields the server itself. Code that depends on these is in functions of its own,
// whose tests skip themselves on Wine by name.
package winpipe
