// Package sock is the state machine of a socket of the pipe transport: an event in, what is to be
// done out. It does no I/O and knows no clock, no lock, no goroutine, and no packets; package
// endpoint has the former, package wire the latter.
//
// A socket is two halves that share nothing: an Inbox (what has arrived and was not read) and an
// Outbox (what was sent and is still under way). Each may have a lock of its own. Their numbers
// meet in two places: the cost of what the Inbox's owner has read comes back to the peer's Outbox
// as credit, and the serial number of a message whose descriptors were adopted comes back as its
// acknowledgement.
//
// A datagram socket that many may send to has a Mailbox over the Inboxes of its links: one queue,
// which says what becomes of each datagram.
//
// A socket can move to another process (P8). What is known of it there is its State: state.go
// declares that once, the live types contain it, and package wire encodes it.
package sock

import "errors"

// Type is the type of a socket, with Linux's numbers.
type Type uint8

// The types.
const (
	Stream    Type = 1
	Datagram  Type = 2
	Seqpacket Type = 5
)

// Valid reports whether t is a type.
func (t Type) Valid() bool { return t == Stream || t == Datagram || t == Seqpacket }

// Network returns what package net calls a socket of type t.
func (t Type) Network() string {
	switch t {
	case Datagram:
		return "unixgram"
	case Seqpacket:
		return "unixpacket"
	}
	return "unix"
}

// TypeOf returns the type of what package net calls network, which is one of the three.
func TypeOf(network string) Type {
	switch network {
	case "unixgram":
		return Datagram
	case "unixpacket":
		return Seqpacket
	}
	return Stream
}

// Buffer sizes in bytes, which are Linux's: net.core.wmem_default, and twice net.core.wmem_max,
// which is what SO_SNDBUF can reach without privileges.
const (
	DefaultBuffer = 212992
	maxBuffer     = 2 * 212992
	minBuffer     = 4608 // SOCK_MIN_SNDBUF
	minReadBuffer = 2304 // SOCK_MIN_RCVBUF
)

// WriteBuffer returns what SO_SNDBUF becomes if it is set to a size: twice of that, for the cost of
// keeping account, within bounds. As to the kernel a size below 0 is a large one.
func WriteBuffer(bytes int) int { return bufferOf(bytes, minBuffer) }

// ReadBuffer returns what SO_RCVBUF becomes, in the same way.
func ReadBuffer(bytes int) int { return bufferOf(bytes, minReadBuffer) }

func bufferOf(bytes, least int) int {
	if bytes < 0 || bytes > maxBuffer/2 {
		return maxBuffer
	}
	return max(2*bytes, least)
}

// Windows, in units of cost. A window is a multiple of the sender's buffer, since credit comes back
// later than in a kernel, and in a packet that costs as much as data: half of it made streams of
// large writes a tenth slower, twice of it none faster.
const (
	buffersInWindow = 4

	DefaultWindow = buffersInWindow * DefaultBuffer
	MaxWindow     = buffersInWindow * maxBuffer
	MinWindow     = buffersInWindow * minBuffer
)

// MaxRights is how many descriptors one message carries: SCM_MAX_FD (S3).
const MaxRights = 253

// MinPiece is the least that a message is cut into, but for its last piece: so much fits into one
// packet, whatever there is beside it (S2).
const MinPiece = 32000

// overhead is what a message costs beside its bytes, as on Linux, where an sk_buff is charged with
// its true size. It keeps a peer from filling our memory with empty messages.
const overhead = 768

// maxPieces is more than the largest message is cut into.
const maxPieces = MaxWindow/MinPiece + 1

// Bounds of what sockets that move take along in one message: the queue of one with the largest
// buffers, and more than two with those that are usual.
const (
	MaxLuggage       = 4 << 20 // bytes
	maxLuggagePieces = MaxLuggage/MinPiece + 64
)

// Cost returns what a piece of n bytes is charged against a window.
func Cost(n int) uint64 { return uint64(n) + overhead }

// RightsWindow is how many descriptors a connection adopts ahead of its reader (P3), a multiple of
// the largest message.
const RightsWindow = 8 * MaxRights

// MaxWeight bounds what one message takes of the credit for descriptors: half of it, so that the
// rest is always told in time. See Inbox.CreditDue.
const MaxWeight = RightsWindow / 2

// ErrProtocol is what every error wraps that is the peer's fault. The connection ends.
var ErrProtocol = errors.New("protocol error")

// What a peer can do wrong.
var (
	errCredit = wrap("credit for what was never sent")
	errAck    = wrap("acknowledgement of what was never sent")
	errWindow = wrap("more data than the window allows")
	errRights = wrap("more descriptors than were allowed")
	errPieces = wrap("pieces of a message out of order")
	errEmpty  = wrap("packet of nothing on a stream")
	errEnded  = wrap("data after the end")
	errHasty  = wrap("a datagram before it is known what becomes of the one before")
	errState  = wrap("a state in which no socket can be")
	errMove   = wrap("packet out of place")
)

type protocolError string

func wrap(s string) error               { return protocolError(s) }
func (e protocolError) Error() string   { return "protocol error: " + string(e) }
func (protocolError) Is(err error) bool { return err == ErrProtocol }
