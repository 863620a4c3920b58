package endpoint

import (
	"sync"
	"syscall"

	"afunix/internal/cred"
	"afunix/internal/rights"
	"afunix/internal/wire"
)

// A Pipe is one end of a message pipe, with the process at the other end. Package linuxpipe and package winpipe have
// the real ones, the simulator another. Errors are syscall.Errno values of Linux's meaning on every system.
//
// A packet is between 1 and wire.MaxPacket bytes and arrives whole or not at all, in order. The engine calls Read and ReadNow from one
// goroutine at a time and Write from one goroutine at a time; Interrupt, Resume, WaitWritable and Close from any.
type Pipe interface {
	// Read waits for a packet and returns it in a buffer from pool (whose New makes *Buffer), which is the
	// caller's from then on. Where the system allows it, no buffer is held while waiting, and if into is not empty, as much of
	// the packet as fits is put there, from its byte HeaderLen on, instead of into the same place of buf: placed tells how much
	// that is, on other systems 0. Without a packet buf is nil and err is
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

	// Interrupt makes Read, now and until Resume, return what is in the pipe without waiting for more.
	Interrupt()

	// Resume undoes Interrupt.
	Resume()

	// Write puts head followed by body into the pipe as one packet, and never waits. EAGAIN: the pipe is full, nothing was
	// written. EPIPE: the other end is closed. Neither slice is kept.
	Write(head, body []byte) error

	// WaitWritable waits until Write may find room, or fails as Write would; net.ErrClosed once Close was called.
	WaitWritable() error

	// Close closes this end. Packets that Write accepted stay readable for the other end, and nobody waits for
	// them to be read; Read and WaitWritable return net.ErrClosed. The peer's process is released, too. If the end has been
	// handed on, the other process goes on with it.
	Close() error

	// Hangup is Close, but once it has returned, the other end cannot write any more, whoever else has this end. It may wait for as long as
	// the last packet needs to find room.
	Hangup() error

	// Connected reports whether both ends are open: had the other one been hung up before the call, it would be false. What can be read or
	// written does not matter.
	Connected() bool

	// SyscallConn gives access to the descriptor, by which the end is handed on.
	SyscallConn() syscall.RawConn

	Peer
}

// Peer is the process at the other end of a pipe: identified by the system, held open so that its number cannot be
// reused (P2).
type Peer interface {
	// Proof is what our hello carries so that the other end can find and verify this process: at most MaxProof bytes. It
	// may be nil. It stays valid until Close.
	Proof() ([]byte, error)

	// Identify finds, verifies and opens the peer's process. It is called once the peer's hello has been read, with the proof in
	// it, and once again after each further hello (an end that moved), with the former process released. The credentials are
	// the system's. The abilities say what this side can do to the peer: opening it was tried. That it could not be opened
	// is no error; that the proof is wrong or its user cannot be learnt is one, and ends the connection. If it could not be opened
	// because this process is out of descriptors, it is taken to be possible, and Pull fails with EMFILE until it is.
	Identify(proof []byte) (cred.Credentials, rights.Ability, error)

	// Answer shows the other end that this is the process that our Proof named. The client does so when it has identified the
	// server, before its next packet.
	Answer() error

	// Confirmed reports whether the peer has answered. The server asks when the first packet after the client's hello has been
	// read; until then no descriptor is exchanged with it. The client need not ask: only a pipe's client can be mistaken.
	Confirmed() bool

	// Expect is called when the other end is about to be handed on to another process, before it is: from now on the system must name
	// whoever says hello next. An end that has been handed to this process expects a hello from the beginning.
	Expect() error

	// Opener returns the process that opened or created the other end, whoever has that now: the system's word, as SO_PEERCRED
	// gives it.
	Opener() (cred.Credentials, error)

	rights.Process
}

// A System makes pipes and sources of what another process has handed on (P8). It owns the descriptors that it is given, also if it
// fails; EPROTO: they are not what they should be. Nothing that it does waits, whatever the descriptors are.
type System interface {
	// OpenPipe makes a pipe of one end, of the side that created it (the server) or the one that opened it.
	OpenPipe(v uintptr, server bool) (Pipe, error)
	// OpenSource makes a source of what Source.Suspend returned.
	OpenSource(descriptors []uintptr, state []byte) (Source, error)
}

// A Buffer is what a packet is read into: room for the largest one, and a byte more that shows one that is too large.
type Buffer = [wire.MaxPacket + 1]byte

// MaxProof bounds a proof.
const MaxProof = 64
