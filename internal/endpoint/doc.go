// Package endpoint is the engine of the pipe transport: sockets over any message pipe (package
// pipe). It owns the goroutines, the locks, the deadlines and the I/O; what a socket does is
// decided by package sock, what a packet looks like by package wire, and who owns a descriptor by
// package rights.
//
// A connection has one goroutine, its reader, which takes every packet as soon as it is there (P5),
// adopts the descriptors in it (P3) and applies what the peer's transport has to say (S6). A call
// that waits may take its turn (see turn). Whoever writes does so in his own goroutine, with the
// pen of the connection (see Conn.writeLocked). Nobody ever waits inside a write to the pipe: when
// it is full, a second goroutine, the flusher, lives until it has room again.
//
// An end that is sent moves to another process (P8). It gets ready to leave in departure.go, a
// listener in relocate.go, a datagram socket in relocate_datagram.go; what it takes along is put
// together in parcel.go, and made into an end again in unpack.go. What its peer sees of all this is
// in shift.go. A child process inherits an end by inherit.go.
//
// The order in which locks may be taken is that of locks.Order, and a build with the tag
// afunix_locks checks it. Conn.mu is the one lock of a connection's or a link's two halves;
// PacketConn.mu and outgoing.mu come before those of a datagram socket's links; descriptor.Set.mu
// comes last, since a set in a queue is asked under the lock of its connection. Only a set that was
// read is closed with none of these held, and the order begins anew for the ends in it.
//
// None of them is held while a listener's socket file is removed, which may take a second: see
// Source.Unlink.
//
// A lock of an end is not taken under one of the connection that it goes over, or has come over.
// What is to be done with it is done when that is free (Conn.unlock, PacketConn.unlock), or by a
// goroutine of its own (outbox.nudgeGuests, parcel.decide).
package endpoint
