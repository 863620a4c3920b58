// Package endpoint is the pipe transport: sockets over any message pipe. It owns the goroutines, the locks, the deadlines and the
// I/O; what a socket does is decided by package sock, what a packet looks like by package wire, and who owns a descriptor
// by package rights.
//
// A connection has one goroutine, its reader, which takes every packet as soon as it is there (P5), adopts the descriptors in it (P3)
// and applies what the peer's transport has to say (S6). A Read that waits may take its turn (see turn). Whoever writes does so in his own goroutine. Nobody ever waits inside a
// write to the pipe: when it is full, a second goroutine, the flusher, lives until it has room again.
//
// Locks, in the order in which they may be taken: Conn.reading or Conn.writing (one user at a time), outbox.mu, inbox.mu.
package endpoint
