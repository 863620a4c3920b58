package pipe

import "afunix/internal/cred"

// A Peer is the process at the other end of a pipe. The system identifies it, and it is held open
// so that its number cannot be used again (P2).
//
// A pipe and its process are one value: what a process proves itself by travels in the hello of
// exactly this pipe.
type Peer interface {
	// Proof is what our hello carries so that the other end can find and verify this process: at
	// most MaxProof bytes. It may be nil. It stays valid until Close.
	Proof() ([]byte, error)

	// Identify finds, verifies and opens the peer's process. It is called once the peer's hello has
	// been read, with the proof in it. It is called again after each further hello (of an end that
	// moved), with the former process released. The credentials are the system's. The abilities say
	// what this side can do to the peer: opening the peer was tried.
	//
	// It is no error if the peer could not be opened. It is an error if the proof is wrong or the
	// peer's user cannot be learnt, and that ends the connection. If the peer could not be opened
	// because this process is out of descriptors, opening is taken to be possible, and Pull fails
	// with EMFILE until it is.
	Identify(proof []byte) (cred.Credentials, Ability, error)

	// Answer shows the other end that this is the process that our Proof named. The client does so
	// when it has identified the server, before its next packet.
	Answer() error

	// Confirmed reports whether the peer has answered. The server asks when the first packet after
	// the client's hello has been read; until then no descriptor is exchanged with it. The client
	// need not ask: only a pipe's client can be mistaken.
	Confirmed() bool

	// Expect is called when the other end is about to be handed on to another process, and before
	// it is: from now on the system must name the process that says hello next. An end that has
	// been handed to this process expects a hello from the beginning.
	Expect() error

	// Opener returns the process that opened or created the other end, even if another process has
	// that end now. It is the system's word, as SO_PEERCRED gives it.
	Opener() (cred.Credentials, error)

	Process
}

// An Ability says what one side of a connection can do with the process at the other side.
type Ability uint8

// The abilities. Their values are part of the packet format (docs/PROTOCOL.md).
const (
	CanPull Ability = 1 << iota // duplicate a descriptor out of the other process
	CanPush                     // duplicate a descriptor into the other process
	Trusts                      // the other process is at least as privileged: what it pushed into us is believed
)

// A Process is the process at the other end of a connection, held open. Its methods are only called
// as far as its abilities allow; they fail with EPERM otherwise, and with ESRCH once the process is
// gone. Values are descriptors: "theirs" in the other process's table, "ours" in that of this
// process.
type Process interface {
	// Pull duplicates theirs into this process. What the value refers to is not checked, except
	// that no pseudo-handle and no malformed value is ever pulled (EBADF). Child processes do not
	// inherit the duplicate.
	Pull(theirs uint64) (ours uintptr, err error)

	// Push duplicates ours into the other process.
	Push(ours uintptr) (theirs uint64, err error)

	// TakeBack closes theirs, which Push returned, in the other process.
	TakeBack(theirs uint64) error

	// ExportSocket prepares a duplicate of the socket ours for the other process, as
	// WSADuplicateSocket does, and returns its description, at most MaxExtra bytes. It cannot be
	// taken back. ours must stay open until the other side has called ImportSocket. On systems
	// without such a thing it fails with ENOTSUP, and sockets are pulled or pushed like anything
	// else: see ExportsSockets.
	ExportSocket(ours uintptr) (description []byte, err error)

	// ImportSocket makes a socket of this process from a description that the other side exported.
	ImportSocket(description []byte) (ours uintptr, err error)

	// ExportsSockets reports whether sockets must go by ExportSocket and ImportSocket.
	ExportsSockets() bool
}
