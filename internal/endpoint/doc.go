// Package endpoint is the engine of the pipe transport: sockets over any message pipe (package pipe). It owns the goroutines, the
// locks, the deadlines and the I/O; what a socket does is decided by package sock, what a packet looks like by package wire, and
// who owns a descriptor by package rights.
//
// A connection has one goroutine, its reader, which takes every packet as soon as it is there (P5), adopts the descriptors in it (P3)
// and applies what the peer's transport has to say (S6). A call that waits may take its turn (see turn). Whoever writes does so in his
// own goroutine, with the pen of the connection (see Conn.writeLocked). Nobody ever waits inside a write to the pipe: when it is full, a
// second goroutine, the flusher, lives until it has room again.
//
// An end that is sent moves to another process (P8). It gets ready to leave in departure.go, a listener in relocate.go, a datagram socket
// in relocate_datagram.go; what it takes along is put together in parcel.go, and made into an end again in unpack.go. What its peer
// sees of all this is in shift.go. A child process inherits an end by inherit.go.
//
// Locks, in the order in which they may be taken:
//
//	descriptor.Set.mu       of a message that was read: closing it closes the ends in it
//	Conn.reading, writing   one call at a time, which may wait
//	PacketConn.binding      one autobind at a time, which tells the peer
//	outgoing.dialing        one dial at a time, which may wait
//	PacketConn.mu           of a datagram socket, before those of its links
//	outgoing.mu             likewise
//	Listener.mu
//	Conn.mu                 of a connection or a link: the one lock of its two halves
//	descriptor.Set.mu       of a message in a queue, to duplicate what is peeked at, or to say what it is made of
//
// Of two sockets the one in whose queue the other is comes first.
// None of them is held while a listener's socket file is removed, which may take a second: see
// Source.Unlink.
//
// A lock of an end is not taken under one of the connection that it goes over, or has come over. What is to be done with it is done when
// that is free (Conn.unlock, PacketConn.unlock), or by a goroutine of its own (outbox.nudgeGuests, parcel.decide).
package endpoint
