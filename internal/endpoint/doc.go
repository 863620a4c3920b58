// Package endpoint is the engine of the pipe transport: sockets over any message pipe (package
// pipe). It owns the goroutines, the locks, the deadlines and the I/O. What a socket does is
// decided by package sock, what a packet looks like by package wire, who owns a descriptor by
// package rights, and how ends move by package move.
//
// One end of a pipe is a session. Above a session is a Conn or a link. A Conn is a socket of its
// own: a stream, a socket of records, or one of a pair of datagram sockets. A link is one of the
// connections of a PacketConn, a datagram socket that has a name or sends to names. A door greets
// whoever comes to a name: the clients of a Listener, or the links of a PacketConn. A Listener may
// have guests, too, that come by a public name and do not speak the protocol (guests.go).
//
// A session has a goroutine of its own, the reader, which takes every packet as soon as it is there
// (P5), adopts the descriptors in it (P3), and applies what the peer's transport has to say (S6). A
// call that waits may take the reader's turn (turn.go). Whoever has something to say writes it
// himself, with the pen of the session (pen.go). Nothing else reads the pipe, or writes to it, once
// the greeting is over.
//
// # Files
//
// A file uses those beside it and those below:
//
//	how ends are made    dial.go inherit.go move_build.go states.go
//	datagram sockets     datagram.go datagram_options.go datagram_send.go incoming.go destination.go
//	                     link.go offer.go move_datagram.go
//	connections          conn.go read.go send.go buffers.go options.go listener.go
//	doors                door.go guests.go scarcity.go move_door.go
//	a session's life     greeting.go admin.go close.go move_session.go move_peer.go
//	a session's parts    session.go upper.go turn.go pen.go wait.go inbox.go outbox.go message.go
//	                     owed.go peer.go move_carrier.go luggage.go
//	what all need        buffer.go config.go deadline.go errors.go
//
// And these use one above, since what they do has no end otherwise:
//
//	turn.go → admin.go close.go: whoever has read a packet applies it, and finds that nothing more comes
//	outbox.go message.go → close.go: what was exported and cannot be taken back ends the session
//	inbox.go luggage.go → move_build.go: what comes with a message are ends of any kind
//
// What a session does not know of a Conn or a link it asks what is above it (upper.go).
//
// # Locks
//
// The order in which locks may be taken is that of locks.Order, and a build with the tag
// afunix_locks checks that order.
//
//   - session.mu is the one lock of both halves of a connection or a link.
//   - PacketConn.mu and outgoing.mu, those of a datagram socket, come before those of its links.
//   - descriptor.Set.mu comes last: a set in a queue is asked under the lock of its session. Closing
//     a set closes the ends in it, for which the order begins anew. So a set is closed with none of
//     these locks held.
//   - The lock of an end is not taken under that of a connection that the end goes over, or has come
//     over. What is to be done with the end is done when that lock is free (session.unlock,
//     incoming.unlock), or by a goroutine of its own (outbox.nudgeGuests).
//   - No lock is held while a listener's socket file is removed, which may take a second: see
//     pipe.Source.
package endpoint
