// Package pipe is the contract of message pipes. It says what the engine of the pipe transport
// (package endpoint) asks of a pipe, of the process at its other end, of what listens, and of
// names.
//
// Package linuxpipe and package winpipe have the pipes of real systems, the simulator (package sim)
// has another, and tests have more. Errors are syscall.Errno values of Linux's meaning on every
// system.
package pipe

import "afunix/internal/wire"

// Sizes, in bytes. Those of packets are the format's.
const (
	// HeaderLen is where the payload of a packet begins that has neither name nor ancillary block.
	HeaderLen = wire.HeaderLen
	// MaxPacket bounds a packet.
	MaxPacket = wire.MaxPacket
	// MaxName bounds a name in a packet.
	MaxName = wire.MaxName
	// MaxProof bounds what [Peer.Proof] returns.
	MaxProof = wire.MaxProof
	// MaxExtra bounds the description of a socket: see [Process.ExportSocket].
	MaxExtra = wire.MaxExtra
	// MaxSourceState bounds the state that [Source.Suspend] returns.
	MaxSourceState = 4096
)

// MaxHandles bounds how many descriptors [Source.Suspend] returns, with those of its guests that
// nobody has accepted (see [Host]). Their number is a byte in a packet.
const MaxHandles = 250

// A Buffer is what a packet is read into. It has room for the largest packet, and for one byte
// more, which shows a packet that is too large.
type Buffer = [MaxPacket + 1]byte
