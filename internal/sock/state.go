package sock

import "fmt"

// This file is about a socket that moves to another process (P8): what moves is declared here,
// field by field. The live types contain these structs, so that whoever changes a socket changes
// what would move; Look copies them, and a Restore function makes a live socket of them, of which
// it believes no more than is safe. Package wire visits each field. So a new field is declared here
// and added to that visit, and a test there misses it if it is not.

// A ConnState is all that moves of an end of a connection, or of a link between datagram sockets.
type ConnState struct {
	End      EndState
	In       InboxState
	Segments []Segment // in the queue of the Inbox
	Out      OutboxState
	Moves    MovesState
	Link     LinkState // of a link only
}

// An EndState is what moves of an end beside its halves.
type EndState struct {
	Type       Type
	Server     bool   // its side created the pipe
	ID, PeerID uint64 // the random numbers in the two hellos
	Local      string // addresses, as they are shown
	Remote     string
	Pass       bool     // SO_PASSCRED: it wants credentials with messages
	PeerPass   bool     // … and so does the peer
	Alone      bool     // nobody is at the other end any more
	Embryo     bool     // nobody has accepted it
	Chosen     string   // the name that it has chosen
	PeerName   string   // the name that the peer has chosen
	Naming     bool     // the peer has a reason to choose one, and that may be in the pipe
	Writers    []Writer // the processes that have had the other end, oldest first
}

// A Writer is a process that has had the other end of a connection, as the former owner of this end
// says.
type Writer struct {
	PID, UID, GID uint64
	SID           string
}

// An InboxState is what moves of an Inbox beside its queue.
type InboxState struct {
	Shut   bool // shut down for reading, by either side
	Ended  bool // by the peer, who must not send anything more
	Gone   bool // the peer is closed
	Reset  bool // ECONNRESET is to be reported
	Failed bool // the connection broke

	// Accounting, all totals since the hello. The peer may send while Arrived < Reported + Window,
	// and as long as its descriptors stay within RightsGranted.
	Arrived  uint64 // cost of what has come
	Consumed uint64 // cost of what has been read
	Reported uint64 // Consumed, as the peer knows it
	Window   uint64 // the peer's buffer size
	Message  uint32 // bytes of the message that is arriving
	Pieces   uint32 // … and how many packets that took

	RightsArrived  uint64
	RightsConsumed uint64
	RightsGranted  uint64
	RightsWindow   uint64
}

// An OutboxState is what moves of an Outbox that nothing is parked in.
type OutboxState struct {
	Shut bool // shut down for writing by its owner
	Deaf bool // the peer has shut down reading
	Gone bool // the peer is closed, or the connection broke
	Peer Peer // of a datagram socket: Apart once a sender has been told of that; else Connected

	Sent        uint64 // cost of what has been sent
	Consumed    uint64 // … and been credited
	Buffer      uint32 // SO_SNDBUF
	RightsSent  uint64
	RightsLimit uint64
	Serial      uint64 // of the last transfer
}

// A MovesState is what a new owner has to know of moves that are under way.
type MovesState struct {
	PeerAway bool // whoever has the other end next has not said hello
	Waits    bool // the end says hello when he has
}

// A LinkState is what moves of a Link.
type LinkState struct {
	Over     bool     // nothing comes any more
	Queued   uint32   // how many datagrams are in the queue
	Offers   []uint64 // the serial number of the datagram that is held, if one is: Look fills it in
	Offering uint64   // the serial number of the datagram that came last, or is coming
	Sender   string   // what whoever has sent that is called
}

// A ListenerState is all that moves of a listener. Its clients follow.
type ListenerState struct {
	Type    Type
	Backlog uint32 // as of listen(2)
	Local   string // its address, as it is shown
	Handles uint8  // how many descriptors its source has besides the first
	Source  []byte // what its source says of itself
	Clients uint32
}

// A PacketState is all that moves of a datagram socket that is no pair's. Its listener and its
// links follow.
type PacketState struct {
	ID, PeerID uint64 // the random numbers of this socket, and of the one that it is connected to
	Local      string // its address, as it is shown
	Bound      string // its name
	Remote     string // "" if it is not connected
	Buffer     uint32 // SO_SNDBUF
	Mute       bool   // shut down for writing
	Pass       bool   // SO_PASSCRED
	Mail       MailboxState
	Order      Order
	Listens    bool   // a listener follows
	Links      uint32 // so many links follow
	PeerLink   bool   // the first of them is the one to its peer
}

// A MailboxState is what moves of a Mailbox beside its links and their datagrams.
type MailboxState struct {
	Peer Peer // if the socket is connected, its peer alone may send
	Deaf bool // shut down for reading
}

// An Order is that of the datagrams of a Mailbox. Each stands for its link, by the number of that.
type Order struct {
	Queue []uint32 // that can be read, oldest first
	Held  []uint32 // that wait for room, in the order of arrival
}

// Look returns what moves of the Inbox. The segments stay its own.
func (in *Inbox) Look() (InboxState, []Segment) {
	segments := make([]Segment, in.queue.len())
	for i := range segments {
		segments[i] = *in.queue.at(i)
	}
	return in.state, segments
}

// maxTotal bounds whatever is counted since the hello: no connection comes near it, and nothing
// that is added to it wraps.
const maxTotal = 1 << 62

// RestoreInbox makes an Inbox of what Look has returned elsewhere. It is not believed further than
// is safe: the error is errState. The Inbox owns the segments, unless there is an error.
func RestoreInbox(t Type, s InboxState, segments []Segment) (*Inbox, error) {
	ordered := s.Reported <= s.Consumed && s.Consumed <= s.Arrived &&
		s.RightsConsumed <= s.RightsArrived && s.RightsArrived <= s.RightsGranted
	bounded := s.Arrived <= maxTotal && s.RightsGranted <= maxTotal && s.Window >= MinWindow && s.Window <= MaxWindow && s.RightsWindow <= RightsWindow &&
		s.RightsGranted <= s.RightsConsumed+RightsWindow && s.Message <= MaxLuggage && s.Pieces <= maxLuggagePieces
	if !t.Valid() || !ordered || !bounded {
		return nil, errState
	}
	in := &Inbox{typ: t, state: s}
	var cost, rights uint64
	for i := range segments {
		if err := in.restore(segments[i]); err != nil {
			return nil, err
		}
		cost, rights = cost+in.queue.last().cost, rights+in.queue.last().rights()
	}
	if cost > s.Arrived-s.Consumed || cost > maxQueued || rights > s.RightsArrived-s.RightsConsumed {
		return nil, errState
	}
	in.state.Consumed, in.state.RightsConsumed = s.Arrived-cost, s.RightsArrived-rights // what went beside them (Luggage) is given back now
	return in, nil
}

// maxQueued is what a queue costs at most: a full window, and the largest message that began when
// there was a little room still.
const maxQueued = 2*MaxWindow + maxPieces*overhead

// MaxSegments is how many segments a queue has at most.
const MaxSegments = maxQueued / overhead

// restore appends a segment that has been queued before.
func (in *Inbox) restore(s Segment) error {
	stream := in.typ == Stream
	open := !stream && in.queue.len() > 0 && in.queue.last().More
	switch {
	case stream && (s.More || s.Continued || len(s.Data) == 0):
		return errState
	case s.Continued != open, s.Continued && s.Rights != nil: // descriptors come with a record's first piece
		return errState
	}
	s.cost = Cost(len(s.Data))
	in.queue.push(s)
	return nil
}

// Look returns what moves of the Outbox.
func (o *Outbox) Look() OutboxState { return o.state }

// RestoreOutbox makes an Outbox of what Look has returned elsewhere.
func RestoreOutbox(t Type, s OutboxState) (*Outbox, error) {
	bounded := s.Sent <= maxTotal && s.RightsSent <= maxTotal && s.Serial <= maxTotal && s.Buffer >= minBuffer && s.Buffer <= maxBuffer
	if !t.Valid() || s.Consumed > s.Sent || !bounded {
		return nil, errState
	}
	if s.Peer != Apart {
		s.Peer = Connected
	}
	return &Outbox{typ: t, state: s, former: s.Serial}, nil
}

// Arrived returns the cost of what has come, and how many descriptors.
func (in *Inbox) Arrived() (cost, rights uint64) { return in.state.Arrived, in.state.RightsArrived }

// Follow corrects what has been sent, under which number, and what of it has been credited. A
// socket that was sent over itself cannot know what its own message will have cost, nor what its
// former owner was told meanwhile; its peer does. If that owner has died before it read everything,
// an acknowledgement and credit that are old may still come.
func (o *Outbox) Follow(cost, rights, serial uint64, c Credit) {
	o.state.Sent, o.state.RightsSent, o.state.Serial, o.inherited = cost, rights, serial, serial
	o.state.Consumed, o.state.RightsLimit = c.Consumed, c.Rights
}

// MaxOffers is how many datagrams of a link are held: its sender waits for what becomes of each.
const MaxOffers = 1

// Look returns what moves of l.
func (l *Link[C]) Look() LinkState {
	s := l.state
	if l.offered {
		s.Offers = []uint64{l.offer.Serial}
	}
	return s
}

// Restore gives a link of which nothing is known what Look has returned elsewhere. There are at
// most MaxOffers offers.
func (l *Link[C]) Restore(s LinkState) {
	for _, serial := range s.Offers {
		l.offered, l.offer = true, Offer{Serial: serial}
	}
	l.state, l.state.Offers = s, nil
}

// Look returns what moves of a Mailbox, and the order of the datagrams on these links.
func (m *Mailbox[C]) Look(links []*Link[C]) (MailboxState, Order) {
	number := make(map[*Link[C]]uint32)
	for i, l := range links {
		number[l] = uint32(i)
	}
	var o Order
	for _, l := range m.queue {
		o.Queue = append(o.Queue, number[l])
	}
	for _, l := range m.held {
		o.Held = append(o.Held, number[l])
	}
	return m.state, o
}

// Restore gives a Mailbox with links that have been restored what Look has returned elsewhere. It
// believes nothing that is not true of the links that are attached, and of the records that the
// Inbox of each holds.
func (m *Mailbox[C]) Restore(s MailboxState, links []*Link[C], o Order, records func(C) int) (err error) {
	m.state = s
	if m.queue, err = lineUp(links, o.Queue); err != nil {
		return err
	}
	if m.held, err = lineUp(links, o.Held); err != nil {
		return err
	}
	queued, held := count(m.queue), count(m.held)
	for _, l := range links {
		offers := 0
		if l.offered {
			offers = 1
		}
		q := int(l.state.Queued)
		if n := records(l.Conn); q != queued[l] || offers != held[l] || n != q+offers {
			return fmt.Errorf("a link with %d datagrams, of which %d are queued and %d wait", n, q, offers)
		}
	}
	return nil
}

// lineUp returns the links with these numbers.
func lineUp[C any](links []*Link[C], numbers []uint32) (line []*Link[C], err error) {
	for _, i := range numbers {
		if int64(i) >= int64(len(links)) || !links[i].attached {
			return nil, fmt.Errorf("a datagram of link %d", i)
		}
		line = append(line, links[i])
	}
	return line, nil
}

// count returns how often each link occurs.
func count[C any](line []*Link[C]) map[*Link[C]]int {
	n := make(map[*Link[C]]int)
	for _, l := range line {
		n[l]++
	}
	return n
}
