package endpoint

import (
	"afunix/internal/cred"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/transport"
	"afunix/internal/wire"
)

// An upper is what is above a session: a Conn, or a link. What the two do differently is here, and
// nowhere else.
type upper interface {
	// permits says whether the socket peerID, of the process who, may connect to this one.
	permits(who cred.Credentials) wire.Status
	// headedLocked takes in how a packet of the user's begins: the name of its sender, the number
	// of its message, and its flags. It may release mu.
	headedLocked(name []byte, serial uint64, flags uint8) error
	// arriveLocked takes in a packet of the user's, with the ends that have come with it. It owns
	// s. It may release mu.
	arriveLocked(s sock.Segment, ends []move.End) error
	// brings reports whether messages come, too, and not only answers to those that go.
	brings() bool
	// receipt reports whether a message has arrived for its sender as soon as its descriptors have
	// been adopted.
	receipt() bool
	// renamedLocked notes that the peer has chosen a name. It may release mu.
	renamedLocked(name []byte)
	// cancelled takes in that the sender of the message serial does not wait for it any longer.
	cancelled(serial uint64) error
	// refusedLocked takes in that the messages up to serial have not been taken, and why.
	refusedLocked(serial uint64, why sock.Fate) error
	// signatureLocked returns the name that the first packet of a message has. It may release mu,
	// and so wait. A sending asks.
	signatureLocked() ([]byte, error)
	// vouchedLocked reports whether packets have credentials though the peer has not asked for
	// them.
	vouchedLocked() bool
	// lost takes in that nothing more comes.
	lost()

	// look returns what of a link moves with an end, and restore takes it from there.
	look() sock.LinkState
	restore(sock.LinkState)
	// revocable reports whether ends have come that may still be taken back.
	revocable() bool
	// socket returns the socket that the user has.
	socket() transport.Conn
}

// A client is a session with what is above it.
type client interface {
	move.End
	base() *session
}

// A maker makes a session over p with what is above it. Its hello is still to come, and it takes up
// to rights descriptors ahead of its reader. server says that this side created the pipe.
type maker[C client] func(p pipe.Pipe, cfg Config, server bool, rights int) C
