package sock

// An Obstacle is why a message cannot be sent. The order of the obstacles is that in which they are
// found out: the first two by package net, before it asks the kernel, and the others by
// unix_stream_sendmsg, unix_seqpacket_sendmsg and unix_dgram_sendmsg. Of several obstacles the
// least is the one that the caller is told. (A connection of records that was reset says that once,
// before whatever the kernel finds out else: see Inbox.ResetFirst.)
type Obstacle uint8

// The obstacles, with the errors that they are.
const (
	Closed  Obstacle = iota // the socket has been closed here
	Late                    // the deadline has come
	BadFile                 // EBADF: a file is not open (row 10)
	BadName                 // EINVAL: the destination is no name
	TooLong                 // EMSGSIZE (row 49)
	Silent                  // EPIPE: shut down for writing (row 130)
	Left                    // the peer is gone: EPIPE, or ECONNREFUSED of a datagram socket (row 120)
	Alone                   // ENOTCONN: a datagram socket has no peer (row 115), or none any more (row 120)
	Deaf                    // EPIPE: the peer has shut down reading (row 129)
	NoObstacle
)

// Stopped says whether the owner lets the socket go on.
func Stopped(closed, late bool) Obstacle {
	switch {
	case closed:
		return Closed
	case late:
		return Late
	}
	return NoObstacle
}

// MaxMessage is the largest record that a socket with this SO_SNDBUF sends (row 49).
func MaxMessage(buffer int) int { return buffer - 32 }

// Length says whether a record of n bytes can be sent with this SO_SNDBUF. A stream has no longest
// message.
func Length(t Type, n, buffer int) Obstacle {
	if t != Stream && n > MaxMessage(buffer) {
		return TooLong
	}
	return NoObstacle
}

// A Peer is whether a datagram socket is connected.
type Peer uint8

// The states of a Peer.
const (
	NoPeer    Peer = iota // it never was
	Connected             // it is, as far as it knows
	Apart                 // it was, and has found out that its peer is gone
)

// Obstacle says whether there is anybody to send to.
func (p Peer) Obstacle() Obstacle {
	if p != Connected {
		return Alone
	}
	return NoObstacle
}

// Part takes in that the peer is gone (unix_dgram_disconnected). Whoever finds it out is told Left,
// and what the socket has not read is to be discarded; everybody else is told Alone.
func (p *Peer) Part() Obstacle {
	if *p != Connected {
		return Alone
	}
	*p = Apart
	return Left
}

// Obstacle says why nothing can be sent, as far as the state of the socket says.
func (o *Outbox) Obstacle() Obstacle {
	switch {
	case o.state.Shut:
		return Silent
	case o.state.Gone:
		return o.Loss()
	case o.state.Deaf:
		return Deaf
	}
	return NoObstacle
}

// Loss is what the loss of the peer is to whoever sends now.
func (o *Outbox) Loss() Obstacle {
	if o.Apart() {
		return Alone
	}
	return Left
}

// Part takes in that a sender is told that the peer is gone: see Peer.Part.
func (o *Outbox) Part() Obstacle { return o.state.Peer.Part() }

// Apart reports whether a sender has been told that the peer is gone.
func (o *Outbox) Apart() bool { return o.state.Peer == Apart }
