package pipe

import (
	"sync"
	"syscall"
)

// A Pipe is one end of a message pipe, with the process at the other end.
//
// A packet is between 1 and [MaxPacket] bytes and arrives whole or not at all, in order. The engine
// calls Read and ReadNow from one goroutine at a time and Write from one goroutine at a time;
// Interrupt, Resume, WaitWritable and Close from any.
type Pipe interface {
	// Read waits for a packet and returns it in a buffer from pool (whose New makes *Buffer), which
	// is the caller's from then on. Where the system allows it, no buffer is held while waiting,
	// and if into is not empty, as much of the packet as fits is put there, from its byte HeaderLen
	// on, instead of into the same place of buf: placed tells how much that is, on other systems 0.
	// Without a packet buf is nil and err is
	//   io.EOF: the other end is closed and everything that it wrote has been read;
	//   os.ErrDeadlineExceeded: interrupted, and everything that was in the pipe has been read;
	//   syscall.EMSGSIZE: the packet was too large (the pipe is of no use any more);
	//   net.ErrClosed: Close was called;
	//   another errno: the pipe is broken.
	Read(pool *sync.Pool, into []byte) (buf *Buffer, n, placed int, err error)

	// Waited reports whether the last Read is known to have waited. If so, nothing but its packet
	// was in the pipe. That it is not known costs a look into the pipe.
	Waited() bool

	// ReadNow is Read, but fails with EAGAIN where that would wait.
	ReadNow(pool *sync.Pool, into []byte) (buf *Buffer, n, placed int, err error)

	// Interrupt makes Read, now and until Resume, return what is in the pipe without waiting for
	// more.
	Interrupt()

	// Resume undoes Interrupt.
	Resume()

	// Write puts head followed by body into the pipe as one packet, and never waits. EAGAIN: the
	// pipe is full, nothing was written. EPIPE: the other end is closed. Neither slice is kept.
	Write(head, body []byte) error

	// WaitWritable waits until Write may find room, or fails as Write would; net.ErrClosed once
	// Close was called.
	WaitWritable() error

	// Close closes this end. Packets that Write accepted stay readable for the other end, and
	// nobody waits for them to be read; Read and WaitWritable return net.ErrClosed. The peer's
	// process is released, too. If the end has been handed on, the other process goes on with it.
	Close() error

	// Hangup is Close, but once it has returned the other end cannot write any more, even if other
	// processes have this end, too. Hangup may wait for as long as the last packet needs to find
	// room.
	Hangup() error

	// Connected reports whether both ends are open: had the other one been hung up before the call,
	// it would be false. What can be read or written does not matter.
	Connected() bool

	// SyscallConn gives access to the descriptor, by which the end is handed on.
	SyscallConn() syscall.RawConn

	Peer
}
