package endpoint

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/pipe"
	"afunix/internal/rights"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// inbox is the receiving half: sock.Inbox with its deadline, and what has come with messages.
type inbox struct {
	c        *session
	cond     sync.Cond // a Read waits on it, and whoever waits for the end of a turn or of a move
	box      *sock.Inbox
	deadline deadline
	intake   intake
	adopted  uint64 // the serial number of the message whose descriptors were the last ones
	failure  error  // why the connection broke, if it did
	luggage  move.Luggage
	behind   move.Luggage // messages that have come behind our goodbye
	buffer   int          // SO_RCVBUF
}

// An intake says what becomes of messages that come.
type intake uint8

const (
	open     intake = iota
	adopting        // the descriptors of one: the goodbye waits, or both sides would close these
	farewell        // the goodbye has been said, or is owed: messages are the peer's to take back
)

// dataLocked takes in a packet of the user's. It owns buf, where p lies.
func (in *inbox) dataLocked(p *wire.Packet, buf *pipe.Buffer, placed int) error {
	c := in.c
	s := sock.Segment{
		Data:      p.Payload,
		Buffer:    (*packetBuffer)(buf),
		More:      p.Flags&wire.More != 0,
		Continued: p.Flags&wire.Continued != 0,
		Placed:    placed,
	}
	take, err := in.bookLocked(&s, p)
	if !take || err != nil {
		if err == nil && p.Flags&wire.Luggage == 0 {
			in.behindLocked(p)
		}
		packets.Put(buf)
		return err
	}
	if p.Records == 0 {
		return c.above.arriveLocked(s, nil)
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	return in.deliver(s, p, buf)
}

// deliver takes in a packet with descriptors.
func (in *inbox) deliver(s sock.Segment, p *wire.Packet, buf *pipe.Buffer) error {
	c := in.c
	defer in.endAdoption()
	if err := in.adopt(&s, p); err != nil {
		packets.Put(buf)
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	return c.above.arriveLocked(s, move.Ends(s.Rights))
}

// bookLocked checks and books a packet of the user's, and notes in s whose it is. It reports
// whether there is anything to be taken in: luggage waits for its message, and what comes behind
// our goodbye is the peer's to take back. If there are descriptors, the goodbye waits from then on
// until adopted.
func (in *inbox) bookLocked(s *sock.Segment, p *wire.Packet) (take bool, err error) {
	if err := in.c.above.headedLocked(p.Name, p.Serial, p.Flags); err != nil {
		return false, err
	}
	luggage := p.Flags&wire.Luggage != 0
	if p.Flags&wire.Credentials != 0 {
		s.Creds = in.c.peer.now()
	}
	err = in.box.Admit(sock.Arrival{Bytes: len(p.Payload), Rights: p.Records, Continued: s.Continued, Luggage: luggage})
	switch {
	case err != nil:
		return false, err
	case luggage:
		in.luggage.Add(p)
		return false, nil
	case in.intake == farewell:
		return false, nil
	case p.Records > 0:
		in.intake, in.adopted = adopting, p.Serial
	case !in.luggage.Empty():
		return false, errNoEnd
	}
	return true, nil
}

// adopt takes over the descriptors of a packet before its sender hears that they have arrived (P3).
// A connection that has been closed here closes them at once, but one that is closed while it moves
// takes them along, unless it stays.
func (in *inbox) adopt(s *sock.Segment, p *wire.Packet) error {
	c := in.c
	route, err := in.receiveRoute()
	if err != nil {
		return err
	}
	luggage, closed := in.takeLuggage()
	ends := c.receiveEnds(luggage, route)
	s.Luggage = luggage.Weight()
	if closed {
		rights.Discard(c.table, c.pipe, route, p.Ancillary, p.Records)
		ends.Discard()
		c.pen.acknowledge(p.Serial)
		return nil
	}
	set, err := ends.Message(p)
	if err == nil && len(set.Ends()) > 0 {
		c.mu.Lock()
		c.moves.EndCame()
		c.mu.Unlock()
	}
	due := err == nil && c.above.receipt()
	told := due && c.pen.acknowledge(p.Serial)
	if (err != nil || route.Way == rights.Pull) && !told && !c.pipe.Connected() && !(due && c.pen.acknowledged()) { // it may have been told since
		set.Close()
		err = errLetGo
	}
	switch {
	case err == nil:
		s.Rights = set
		c.pen.creditWhatIsDue() // a connection that has been accepted takes more than its hello said
	case errors.Is(err, descriptor.ErrRightsTruncated), errors.Is(err, syscall.ESRCH), err == errLetGo:
		s.Lost = true
		c.mu.Lock()
		in.box.Refund(p.Records + s.Luggage)
		c.mu.Unlock()
		s.Luggage = 0
		c.pen.creditWhatIsDue()
		if c.above.receipt() {
			c.pen.acknowledge(p.Serial)
		}
	default:
		return err
	}
	return nil
}

// errLetGo: a sender lets go of copies that nobody has acknowledged after it has closed its end of
// the pipe (see abandon), and other files may get their values then. So if that end is open still
// after a pull, the pull has got what was sent. An end that takes an acknowledgement is open. If it
// is closed, what has been pulled may be anything, and the pull may have failed in any way.
var errLetGo = errors.New("the sender may have let go of the descriptors")

// endAdoption lets the goodbye be said.
func (in *inbox) endAdoption() {
	in.c.mu.Lock()
	defer in.c.mu.Unlock()
	if in.intake == adopting {
		in.intake = open
	}
	in.cond.Broadcast()
}

// receiveRoute returns how descriptors come from the peer, which must have said that it is ready
// first.
func (in *inbox) receiveRoute() (rights.Route, error) {
	in.c.mu.Lock()
	defer in.c.mu.Unlock()
	return in.receiveRouteLocked()
}

func (in *inbox) receiveRouteLocked() (rights.Route, error) {
	c := in.c
	if !c.moves.Agreed() || c.peer.from.Way == rights.Nobody {
		return rights.Route{}, errUnasked
	}
	return c.peer.from, nil
}

// takeLuggage takes the luggage that has come, and reports whether nobody can read any more what
// has come: the connection has been closed here, and does not move.
func (in *inbox) takeLuggage() (luggage move.Luggage, closed bool) {
	c := in.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return in.takeLuggageLocked(), c.closed && c.stage != paused
}

func (in *inbox) takeLuggageLocked() move.Luggage {
	luggage := in.luggage
	in.luggage = move.Luggage{}
	return luggage
}

// ending translates how reading has ended; nil if it has not.
func (in *inbox) ending() error {
	switch in.box.End() {
	case sock.EOF:
		return io.EOF
	case sock.ConnReset:
		return syscall.ECONNRESET
	case sock.Failed:
		return in.failure
	}
	return nil
}
