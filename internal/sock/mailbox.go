package sock

import "slices"

// MaxQueue is how many datagrams a queue may hold for another one to be put into it:
// net.unix.max_dgram_qlen (row 48).
const MaxQueue = 10

// MaxSenders is how many links a socket may have. Each costs a descriptor, and holds a datagram
// that waits.
const MaxSenders = 1024

// A Mailbox is the receiving half of a datagram socket that many may send to: one queue over all of
// its links. The datagrams lie in the Inbox of the link that each has come on. The Mailbox knows
// their order, and what becomes of each: it is queued, held until there is room, or refused.
//
// A method changes the Mailbox at once. What is to be done outside of it is in Effects. C is the
// connection of a link, which the Mailbox hands back and never looks at.
//
// Invariants: a link is in queue as often as its state says that it has datagrams Queued; it is in
// held if and only if one of its datagrams is offered; its Inbox holds the records of the former,
// in front of that of the latter.
type Mailbox[C any] struct {
	links []*Link[C]
	queue []*Link[C] // the link of each datagram that can be read, oldest first
	held  []*Link[C] // the link of each datagram that waits for room, in the order of arrival

	state  MailboxState // which moves with the socket
	closed bool         // by its owner, or moved away
	moving bool         // to another process: nothing is read

	effects []Effect[C]
}

// A Link is what a Mailbox knows of one of the connections that bring datagrams.
type Link[C any] struct {
	Conn C

	attached bool
	state    LinkState // which moves with the link
	offered  bool      // a datagram is held, which is
	offer    Offer
}

// Sign notes the serial number in the first packet of a datagram. Pieces may follow.
func (l *Link[C]) Sign(serial uint64) { l.state.Offering = serial }

// Offering is the serial number of the datagram that came last, or is coming.
func (l *Link[C]) Offering() uint64 { return l.state.Offering }

// Name notes what the socket at the other end is called.
func (l *Link[C]) Name(sender []byte) {
	if string(sender) != l.state.Sender {
		l.state.Sender = string(sender)
	}
}

// Sender is what the socket at the other end is called, "" if it has no name.
func (l *Link[C]) Sender() string { return l.state.Sender }

// An Offer is a datagram that has come whole, and whose sender waits for what becomes of it.
type Offer struct {
	Serial uint64
	Peer   bool // it is from the socket that this one is connected to
	Own    bool // it is from this very socket
	Ends   bool // sockets have come with it, which begin to live when it is queued
}

// An Action is what is to be done about a link.
type Action uint8

// The actions.
const (
	// Acknowledge: the datagram Serial is in the queue. The sockets that have come with it begin
	// to live, and one reader can go on.
	Acknowledge Action = iota
	// Refuse: the datagram Serial will not be queued. The Inbox keeps its first Records records
	// (Inbox.Keep), and the sender learns the Fate.
	Refuse
	// Purge: the Inbox discards its first Records records (Inbox.Skip), which had been queued.
	Purge
	// Drop: the link is of no use any more, and is to be closed.
	Drop
)

// An Effect is one thing to be done about a link.
type Effect[C any] struct {
	Link    *Link[C]
	Do      Action
	Serial  uint64
	Fate    Fate
	Records int
}

// Effects returns what is to be done because of the calls since the last time, in this order. The
// caller does it before the next call. The slice is the Mailbox's.
func (m *Mailbox[C]) Effects() []Effect[C] {
	effects := m.effects
	m.effects = m.effects[:0]
	return effects
}

func (m *Mailbox[C]) effect(e Effect[C]) { m.effects = append(m.effects, e) }

// Bars reports whether nobody but the peer may send (row 117), and this is not the peer.
func (m *Mailbox[C]) Bars(peer bool) bool { return m.state.Peer == Connected && !peer }

// Crowded reports whether there is no room for one more link, while so many wait to be attached.
func (m *Mailbox[C]) Crowded(waiting int) bool { return len(m.links)+waiting >= MaxSenders }

// Useful reports whether a link is worth being attached.
func (m *Mailbox[C]) Useful(l *Link[C]) bool {
	return !m.closed && (!l.state.Over || l.state.Queued > 0)
}

// Attach takes in a link. Datagrams may have come on it before.
func (m *Mailbox[C]) Attach(l *Link[C]) {
	l.attached = true
	m.links = append(m.links, l)
}

// Links returns the links that are attached. They are still the Mailbox's.
func (m *Mailbox[C]) Links() []*Link[C] { return m.links }

// Attached reports whether l is attached, and of use still.
func (l *Link[C]) Attached() bool { return l.attached }

// Offer takes in that a datagram has come whole on l. Its record is in the link's Inbox already.
func (m *Mailbox[C]) Offer(l *Link[C], o Offer) error {
	if l.offered {
		return errHasty
	}
	l.offered, l.offer = true, o
	m.held = append(m.held, l)
	switch {
	case m.closed:
		m.refuse(l, Severed)
	case m.Bars(o.Peer):
		m.refuse(l, Barred)
	case m.state.Deaf:
		m.refuse(l, Refused) // row 129
	default:
		m.admit()
	}
	return nil
}

// admit moves what is held into the queue, as far as there is room.
func (m *Mailbox[C]) admit() {
	for len(m.held) > 0 {
		l := m.held[0]
		switch {
		case !m.room(l.offer):
			return
		case m.state.Deaf:
			m.refuse(l, Refused)
			continue
		}
		m.held = slices.Delete(m.held, 0, 1)
		m.queue = append(m.queue, l)
		l.state.Queued++
		m.effect(Effect[C]{Link: l, Do: Acknowledge, Serial: l.offer.Serial})
		l.offered, l.offer = false, Offer{}
	}
}

// room reports whether o, the oldest datagram that is held, may be queued. A full queue holds up
// everybody (row 126) but the socket itself, which may send itself whatever its buffer holds (row
// 124). While the socket moves there is room up to the last datagram that has sockets: they go
// along, and so have to begin to live here.
func (m *Mailbox[C]) room(o Offer) bool {
	return len(m.queue) <= MaxQueue || o.Own || m.moving && m.holdsEnds()
}

func (m *Mailbox[C]) holdsEnds() bool {
	return slices.ContainsFunc(m.held, func(l *Link[C]) bool { return l.offer.Ends })
}

// refuse discards the datagram of l that is held, if one is, and whatever has come behind it.
func (m *Mailbox[C]) refuse(l *Link[C], f Fate) {
	if !l.offered {
		return
	}
	i := slices.Index(m.held, l)
	m.held = slices.Delete(m.held, i, i+1)
	m.effect(Effect[C]{Link: l, Do: Refuse, Serial: l.offer.Serial, Fate: f, Records: int(l.state.Queued)})
	l.offered, l.offer = false, Offer{}
}

// Withdraw takes in that nobody waits for the datagram serial any longer. If it is held still it is
// refused, and else its acknowledgement is on its way.
func (m *Mailbox[C]) Withdraw(l *Link[C], serial uint64) {
	if l.offer.Serial == serial {
		m.refuse(l, Refused)
		m.admit() // what is behind it may need no room
	}
}

// End takes in that nothing more comes on l. What is held was never sent (row 133). What is queued
// can still be read (row 51).
func (m *Mailbox[C]) End(l *Link[C]) {
	l.state.Over = true
	m.refuse(l, Severed)
	m.dropIfDone(l)
	m.admit()
}

// dropIfDone detaches a link on which nothing comes, and of which nothing is left to be read.
func (m *Mailbox[C]) dropIfDone(l *Link[C]) {
	if !l.state.Over || l.state.Queued > 0 || !l.attached {
		return
	}
	l.attached = false
	i := slices.Index(m.links, l)
	m.links = slices.Delete(m.links, i, i+1)
	m.effect(Effect[C]{Link: l, Do: Drop})
}

// Ready reports whether a datagram can be read.
func (m *Mailbox[C]) Ready() bool { return len(m.queue) > 0 && !m.closed && !m.moving }

// First returns the link of which the first record is the oldest datagram. The Mailbox must be
// Ready.
func (m *Mailbox[C]) First() *Link[C] { return m.queue[0] }

// Took takes in that the oldest datagram has been taken out of the Inbox of its link.
func (m *Mailbox[C]) Took() {
	m.forget()
	m.admit()
}

// forget removes the oldest datagram from the queue.
func (m *Mailbox[C]) forget() (l *Link[C]) {
	l = m.queue[0]
	m.queue = slices.Delete(m.queue, 0, 1)
	l.state.Queued--
	m.dropIfDone(l)
	return l
}

// SetPeer notes whether the socket is connected.
func (m *Mailbox[C]) SetPeer(p Peer) { m.state.Peer = p }

// Peer reports whether the socket is connected.
func (m *Mailbox[C]) Peer() Peer { return m.state.Peer }

// Part takes in that a sender has found the peer gone, and returns what he is told. The first time
// what is queued is discarded, and anybody may send from then on. Of a closed socket Empty discards
// what is queued, and a link that came too late may have been closed already.
func (m *Mailbox[C]) Part() Obstacle {
	o := m.state.Peer.Part()
	if o == Left && !m.closed {
		m.purge()
	}
	return o
}

func (m *Mailbox[C]) purge() {
	for _, l := range m.queue {
		m.effect(Effect[C]{Link: l, Do: Purge, Records: 1})
	}
	for len(m.queue) > 0 {
		m.forget()
	}
	m.admit()
}

// Shut shuts down reading. What is queued can still be read. Whoever waits for room goes on waiting
// (row 133), and is refused when there is some.
func (m *Mailbox[C]) Shut() { m.state.Deaf = true }

// Deaf reports whether reading is shut down.
func (m *Mailbox[C]) Deaf() bool { return m.state.Deaf }

// Close takes in that the owner has closed the socket. Empty follows.
func (m *Mailbox[C]) Close() { m.closed = true }

// Closed reports whether the owner has closed the socket, or it has moved.
func (m *Mailbox[C]) Closed() bool { return m.closed }

// Empty ends a Mailbox that has been closed, and returns its links, which the caller closes. With
// tell, the senders of what is held learn that the socket is closed.
func (m *Mailbox[C]) Empty(tell bool) []*Link[C] {
	links := m.links
	if tell {
		for _, l := range links {
			m.refuse(l, Severed)
		}
	}
	m.reset()
	return links
}

// reset forgets all links, and what they have brought.
func (m *Mailbox[C]) reset() {
	for _, l := range m.links {
		l.attached = false
	}
	for _, l := range m.queue {
		l.state.Queued = 0
	}
	for _, l := range m.held {
		l.offered, l.offer = false, Offer{}
	}
	m.links, m.queue, m.held = nil, nil, nil
}

// Move takes in that the socket is about to move to another process (P8): nothing is read until
// Stay.
func (m *Mailbox[C]) Move() {
	m.moving = true
	m.admit()
}

// Moving reports whether the socket is about to move.
func (m *Mailbox[C]) Moving() bool { return m.moving }

// Stay takes in that the socket has not moved after all.
func (m *Mailbox[C]) Stay() { m.moving = false }

// Leave takes in that the socket has moved. Its links have moved with it.
func (m *Mailbox[C]) Leave() {
	m.closed, m.moving = true, false
	m.reset()
}
