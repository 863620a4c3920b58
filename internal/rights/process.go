// Package rights turns open descriptors into the records of a packet and back, and knows who closes each of them when.
package rights

// An Ability says what one side of a connection can do with the process at the other side.
type Ability uint8

// The abilities. Their values are part of the packet format (docs/PROTOCOL.md).
const (
	CanPull Ability = 1 << iota // duplicate a descriptor out of the other process
	CanPush                     // duplicate a descriptor into the other process
	Trusts                      // the other process is at least as privileged: what it pushed into us is believed
)

// A Process is the process at the other end of a connection, held open. Its methods are only called as far as its
// abilities allow; they fail with EPERM otherwise, and with ESRCH once the process is gone. Values are descriptors: "theirs" in
// the other process's table, "ours" in that of this process.
type Process interface {
	// Pull duplicates theirs into this process. What the value refers to is not checked, except that no pseudo-handle and no
	// malformed value is ever pulled (EBADF). Child processes do not inherit the duplicate.
	Pull(theirs uint64) (ours uintptr, err error)

	// Push duplicates ours into the other process.
	Push(ours uintptr) (theirs uint64, err error)

	// TakeBack closes theirs, which Push returned, in the other process.
	TakeBack(theirs uint64) error

	// ExportSocket prepares a duplicate of the socket ours for the other process, as WSADuplicateSocket does, and returns its
	// description, at most MaxExtra bytes. It cannot be taken back. ours must stay open until the other side has called
	// ImportSocket. On systems without such a thing it fails with ENOTSUP, and sockets are pulled or pushed like
	// anything else: see ExportsSockets.
	ExportSocket(ours uintptr) (description []byte, err error)

	// ImportSocket makes a socket of this process from a description that the other side exported.
	ImportSocket(description []byte) (ours uintptr, err error)

	// ExportsSockets reports whether sockets must go by ExportSocket and ImportSocket.
	ExportsSockets() bool
}

// MaxExtra bounds the description of a socket: what a record of 128 bytes has room for.
const MaxExtra = 116
