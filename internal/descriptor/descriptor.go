// Package descriptor deals with open descriptors of this process: of what kind each one is, and who
// closes it. A descriptor is a file descriptor on Unix and a handle on Windows.
package descriptor

import (
	"errors"
	"fmt"

	"afunix/internal/errno"
	"afunix/internal/sock"
)

// Max is the largest number of descriptors in one message.
const Max = sock.MaxRights

// Kind says what a descriptor refers to.
type Kind uint8

// The kinds. Their values are part of the packet format (docs/PROTOCOL.md).
const (
	Other        Kind = iota
	File              // a regular file
	Directory         //
	Pipe              // either end of a pipe or FIFO
	Stream            // a connected TCP (or other non-AF_UNIX stream) socket
	Listener          // a listening TCP socket
	Datagram          // a UDP (or other non-AF_UNIX datagram) socket
	Unix              // an AF_UNIX socket that does not listen
	UnixListener      // an AF_UNIX socket that listens
	Memory            // shared memory: a memfd, a section
	Event             // an eventfd, an event
	Process           // a pidfd, a process
	Terminal          // a terminal, a console
	kinds             // how many there are
)

var kindNames = [...]string{
	Other:        "other",
	File:         "file",
	Directory:    "directory",
	Pipe:         "pipe",
	Stream:       "stream socket",
	Listener:     "listener",
	Datagram:     "datagram socket",
	Unix:         "unix socket",
	UnixListener: "unix listener",
	Memory:       "shared memory",
	Event:        "event",
	Process:      "process",
	Terminal:     "terminal",
}

// String returns the kind in words.
func (k Kind) String() string {
	if !k.Valid() {
		return "unknown kind"
	}
	return kindNames[k]
}

// Valid reports whether k is one of the kinds.
func (k Kind) Valid() bool { return k < kinds }

// Socket reports whether descriptors of kind k are sockets.
func (k Kind) Socket() bool { return k >= Stream && k <= UnixListener }

// Errors that the public package hands out under its own names.
var (
	// ErrNotSendable: this kind of descriptor cannot be passed here.
	ErrNotSendable = errors.New("descriptor of this kind cannot be passed")
	// ErrRightsTruncated: descriptors came, but could not be installed, and were closed.
	ErrRightsTruncated = errors.New("descriptors were discarded: they could not be installed")
	// ErrEnd: what came is an end of the pipe transport, and has no descriptor of its own.
	ErrEnd = errors.New("an end of the pipe transport is no bare descriptor: take it by Conn, PacketConn or Listener")
)

// IndexError says which descriptor of a message could not be sent, and why.
type IndexError struct {
	Index int // in the message
	Err   error
}

// Error is the number of the descriptor, and the text of e.Err.
func (e *IndexError) Error() string { return fmt.Sprintf("descriptor %d: %v", e.Index, e.Err) }

// Unwrap returns e.Err.
func (e *IndexError) Unwrap() error { return e.Err }

// A kindError says that a descriptor is not what it was to be taken as.
type kindError struct {
	kind Kind
	want string
}

// WrongKind returns the error for a descriptor of kind k that was to be taken as what want says.
func WrongKind(k Kind, want string) error { return kindError{k, want} }

func (e kindError) Error() string { return fmt.Sprintf("%v is not %s", e.kind, e.want) }

// Unwrap returns the errno for asking such a thing of such a descriptor.
func (e kindError) Unwrap() error {
	if e.kind.Socket() {
		return errno.EOPNOTSUPP
	}
	return errno.ENOTSOCK
}

// A Table is the descriptor table of this process. [System] is the real one; the simulator has
// others.
type Table interface {
	// Kind tells what v is. A v that is not open is EBADF. On Windows a file on which an operation
	// is pending is a Pipe, after a moment.
	Kind(v uintptr) (Kind, error)
	// Kinds tells the kind of each of asked, as Kind does: of n of them, and err is about the next.
	Kinds(asked []Asked) (n int, err error)
	// Matches reports whether v may be of kind k, as far as that can be told without ever waiting:
	// a stranger chose v. A v that is not open is EBADF.
	Matches(v uintptr, k Kind) (bool, error)
	// Dup returns a new descriptor for what v, of kind k, refers to. Child processes do not inherit
	// it.
	Dup(v uintptr, k Kind) (uintptr, error)
	// Close closes v, which is of kind k.
	Close(v uintptr, k Kind) error
}

// Asked is a descriptor and, once a [Table] has been asked, its kind.
type Asked struct {
	Value uintptr
	Kind  Kind
}

// EachKind is Kinds for a table that asks about one after the other.
func EachKind(t Table, asked []Asked) (n int, err error) {
	for n < len(asked) {
		if asked[n].Kind, err = t.Kind(asked[n].Value); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// System is the descriptor table of this process.
var System Table = system{}

type system struct{}
