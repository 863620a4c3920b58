package endpoint

import (
	"afunix/internal/move"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// This file is about luggage in the pipe whose message does not come. What has been put into the
// receiver with it, exactly one side closes. Which one, both sides take from the order of what the
// receiver says:
//
//   - If its goodbye comes first, the sender takes the luggage back (strays).
//   - If something comes first by which the receiver knows that no message will, the luggage is the
//     receiver's (unclaimed): that it has taken note that the sender moves, or its answer to the
//     hello of an end that has moved.
//   - If it comes first that the receiver moves, the luggage is the receiver's, too. It is closed
//     when the sender has taken note of the move: no message comes behind that.
//   - If no packet can come any more, and no goodbye was said, the luggage is the receiver's.
//
// What has been exported nobody can take back. So the receiver closes it as soon as it knows that
// no message will come. The sender keeps the original open until the pipe is closed.
//
// In the end a goodbye may be in the pipe that nobody reads any more. Then the luggage stays:
// better a descriptor too many than one that is closed twice, the second time as another file.

// An unclaimed is luggage that has come without its message, if there is any.
type unclaimed struct {
	ends     *move.Incoming // nil if there is none
	returned bool           // its sender takes back what he can
}

// takeUnclaimedLocked takes luggage whose message will not come. The pen is free. Whoever calls
// sees to it that the peer hears of that before a goodbye that has not been said, or that none is
// said any more. With forgone, the peer takes nothing back, whatever has been said.
func (in *inbox) takeUnclaimedLocked(forgone bool) (u unclaimed) {
	luggage := in.takeLuggageLocked()
	if !in.behind.Empty() { // nothing is acknowledged any more: it is decided with the rest
		in.behind.Join(luggage)
		return u
	}
	if route, err := in.receiveRouteLocked(); err == nil && !luggage.Empty() {
		u.ends = in.c.receiveEnds(luggage, route)
		u.returned = !forgone && in.c.pen.saidGoodbyeLocked()
	}
	return u
}

// discard closes the luggage, but for what its sender takes back. mu is not held.
func (u unclaimed) discard() {
	switch {
	case u.ends == nil:
	case u.returned:
		u.ends.DiscardExported()
	default:
		u.ends.Discard()
	}
}

// A jetsam is what has come and is nobody's, when no packet can come any more.
type jetsam struct{ luggage, behind unclaimed }

func (j jetsam) discard() {
	j.luggage.discard()
	j.behind.discard()
}

// discardLocked is discard. It releases mu.
func (in *inbox) discardLocked(u unclaimed) {
	if u.ends == nil {
		return
	}
	in.c.mu.Unlock()
	defer in.c.mu.Lock()
	u.discard()
}

// discardExportedLocked closes what has been exported with luggage: no message will come. It
// releases mu.
func (in *inbox) discardExportedLocked() {
	exported := in.luggage.TakeExported()
	if route, err := in.receiveRouteLocked(); err == nil && !exported.Empty() {
		in.discardLocked(unclaimed{ends: in.c.receiveEnds(exported, route)})
	}
}

// behindLocked notes a message that has come behind our goodbye. Its sender takes it back, unless
// the goodbye is never said. So nothing is acknowledged before that which has come later. It may
// release mu.
func (in *inbox) behindLocked(p *wire.Packet) {
	in.discardExportedLocked()
	if p.Records > 0 {
		in.c.pen.owed.Ignore(p.Serial)
	}
	in.behind.Join(in.takeLuggageLocked())
	in.behind.Add(&wire.Packet{Ancillary: p.Ancillary, Records: p.Records})
}

// takeBehindLocked takes what has come behind our goodbye, if that has not been said. The pen is
// free, and no goodbye is said any more.
func (in *inbox) takeBehindLocked() (u unclaimed) {
	behind := in.behind
	in.behind = move.Luggage{}
	if route, err := in.receiveRouteLocked(); err == nil && !behind.Empty() && !in.c.pen.saidGoodbyeLocked() {
		u.ends = in.c.receiveEnds(behind, route)
	}
	return u
}

// Stray takes over luggage that has been written, and whose message will not be: see move.Carrier.
func (o *outbox) Stray(luggage []*rights.Outgoing) {
	for _, l := range luggage {
		if exported := l.Unpark(); exported != nil {
			o.Keep(exported)
		}
	}
	c := o.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peer.hearing == nothing || c.moves.PeerAway() || c.moves.PeerWaits() { // it is the peer's
		return
	}
	for _, l := range luggage {
		o.strays = append(o.strays, &message{Outgoing: l, of: o})
	}
	if c.peer.hearing == goodbye {
		o.returnStraysLocked()
		o.settleLocked()
	}
}

// Keep keeps sockets open that have been exported until the pipe is closed: see move.Carrier.
func (o *outbox) Keep(exported *rights.Outgoing) {
	c := o.c
	c.mu.Lock()
	disposed := c.closed && c.stage != paused && c.turn.ended() && c.pen.severed()
	if !disposed {
		o.exported = append(o.exported, exported)
	}
	c.mu.Unlock()
	if disposed {
		exported.Release()
	}
}

// returnStraysLocked takes back what has strayed: the peer has said goodbye.
func (o *outbox) returnStraysLocked() {
	for _, m := range o.strays {
		(*parked)(m).TakeBack()
	}
	o.forgetStraysLocked()
}

// forgetStraysLocked leaves what has strayed to the process that it has come to.
func (o *outbox) forgetStraysLocked() { o.strays = nil }

// heededLocked looks whether the peer has taken note that this end moves: then no message comes any
// more from there, and what has strayed from here is the peer's. It may release mu.
func (v *moves) heededLocked() {
	if v.told == nil || v.told.Fate != sock.Acknowledged {
		return
	}
	v.told = nil
	v.c.out.forgetStraysLocked()
	v.c.in.discardLocked(v.c.in.takeUnclaimedLocked(true))
}
