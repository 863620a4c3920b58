// Package move moves ends of the pipe transport to another process (P8). An Outgoing gets the ends
// of a message ready, packs what they are made of, and knows in the end whether they have moved or
// stay. An Incoming makes ends of what has come with a message.
//
// What an end does while it moves (what it tells its peer, what it waits for, what it is made of)
// is its own business, behind the interface End; and what carries the message is behind Carrier.
// Here is what all ends have in common: the order of the steps, which states and records belong to
// which end, the bounds, and who closes a descriptor that is under way. No lock is held here, and
// none is taken.
//
// What moves with an end waits in packets in front of the message, which docs/PROTOCOL.md calls its
// luggage: states, and the records of the descriptors that the states speak of, in this order. Each
// record of an end in the message has a state; that is followed by the states of the ends that it
// is made of, or that wait in its queue.
package move

import (
	"errors"
	"fmt"

	"afunix/internal/descriptor"
	"afunix/internal/rights"
	"afunix/internal/sock"
)

// An End is an end that can move. Its methods are called in this order: Begin, Ready, Pack; then
// either Stay or Moved, and Release behind Moved if the end is known to have arrived.
type End interface {
	descriptor.End

	// Begin makes the end do nothing new, and tells whoever has to know. The ends that it is made
	// of begin with it (Outgoing.Begin). EBADF: it is closed, or being moved already.
	Begin(*Outgoing) error
	// Ready waits until nothing is under way. The error is why the move has to end.
	Ready(*Outgoing) error
	// Pack says what the end is made of: see AddConn, AddListener and AddPacket.
	Pack(*Outgoing) error
	// Stay undoes all this.
	Stay()
	// Moved makes the end behave as closed.
	Moved()
	// Release lets go of what this process has of the end.
	Release()

	// Nudge makes the end look whether the carrier can still send (Outgoing.Stopped).
	Nudge()
	// Start makes the end live in the process that it has come to.
	Start()

	// Receives reports whether the end is the socket with this number.
	Receives(id uint64) bool
	// Kind is the kind of descriptor that the end is sent as.
	Kind() descriptor.Kind
	// Descriptor returns that descriptor, once the end is ready; 0 if it has none of its own.
	Descriptor() (uintptr, error)
}

// A Carrier is the connection that a message with ends goes over.
type Carrier interface {
	// PeerID is the number of the socket at its other end.
	PeerID() uint64
	// Stopped says why it cannot send any more; nil if it can.
	Stopped() error
	// Watch has e nudged, from now on, when it may not be able to send any more.
	Watch(m *Outgoing, e End)
	// Unwatch ends that for all ends of m.
	Unwatch(m *Outgoing)
	// Stray takes over luggage that has been written, and whose message will not be. The peer
	// closes it, unless the peer has been closed before it has heard that.
	Stray([]*rights.Outgoing)
	// Keep keeps sockets open that have been exported with luggage, as long as the peer may import
	// them: nobody can take them back, so the peer gets rid of them in that way.
	Keep(exported *rights.Outgoing)
}

// ErrCycle: an end would wait in its own queue.
var ErrCycle = errors.New("an end would wait in its own queue")

// Bad returns an error that blames the peer for what has come of an end. It wraps rights.ErrRecord.
func Bad(format string, args ...any) error {
	return fmt.Errorf("%w: %w", rights.ErrRecord, fmt.Errorf(format, args...))
}

// Ends returns the ends among the descriptors of a message.
func Ends(r sock.Rights) (ends []End) {
	set, ok := r.(*descriptor.Set)
	if !ok {
		return nil
	}
	for _, e := range set.Ends() {
		ends = append(ends, e.(End))
	}
	return ends
}

// StartAll makes ends live.
func StartAll(ends []End) {
	for _, e := range ends {
		e.Start()
	}
}
