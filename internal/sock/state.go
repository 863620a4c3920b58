package sock

// This file is about a socket that moves to another process (P8): its two halves are looked at in one process, and made anew in the
// other.

// An InboxState is an Inbox without its queue.
type InboxState struct {
	Shut, Ended, Gone, Reset, Failed bool

	Arrived, Consumed, Reported, Window                        uint64
	RightsArrived, RightsConsumed, RightsGranted, RightsWindow uint64
	Message, Pieces                                            uint32
}

// Look returns what the Inbox is made of, which stays its own.
func (in *Inbox) Look() (InboxState, []Segment) {
	segments := make([]Segment, in.queue.len())
	for i := range segments {
		segments[i] = *in.queue.at(i)
	}
	return InboxState{
		Shut: in.shut, Ended: in.ended, Gone: in.gone, Reset: in.reset, Failed: in.failed,
		Arrived: in.arrived, Consumed: in.consumed, Reported: in.reported, Window: in.window,
		RightsArrived: in.rightsArrived, RightsConsumed: in.rightsConsumed,
		RightsGranted: in.rightsGranted, RightsWindow: in.rightsWindow,
		Message: uint32(in.message), Pieces: uint32(in.pieces),
	}, segments
}

// maxTotal bounds whatever is counted since the hello: no connection comes near it, and nothing that is added to it wraps.
const maxTotal = 1 << 62

// RestoreInbox makes an Inbox of what Look has returned elsewhere. It is not believed further than is safe: the error is
// errState. The Inbox owns the segments, unless there is an error.
func RestoreInbox(t Type, s InboxState, segments []Segment) (*Inbox, error) {
	ordered := s.Reported <= s.Consumed && s.Consumed <= s.Arrived &&
		s.RightsConsumed <= s.RightsArrived && s.RightsArrived <= s.RightsGranted
	bounded := s.Arrived <= maxTotal && s.RightsGranted <= maxTotal && s.Window >= MinWindow && s.Window <= MaxWindow && s.RightsWindow <= RightsWindow &&
		s.RightsGranted <= s.RightsConsumed+RightsWindow && s.Message <= MaxLuggage && s.Pieces <= maxLuggagePieces
	if !t.Valid() || !ordered || !bounded {
		return nil, errState
	}
	in := &Inbox{
		typ:  t,
		shut: s.Shut, ended: s.Ended, gone: s.Gone, reset: s.Reset, failed: s.Failed,
		arrived: s.Arrived, consumed: s.Consumed, reported: s.Reported, window: s.Window,
		rightsArrived: s.RightsArrived, rightsConsumed: s.RightsConsumed,
		rightsGranted: s.RightsGranted, rightsWindow: s.RightsWindow,
		message: int(s.Message), pieces: int(s.Pieces),
	}
	var cost, rights uint64
	for i := range segments {
		if err := in.restore(segments[i]); err != nil {
			return nil, err
		}
		cost, rights = cost+in.queue.last().cost, rights+in.queue.last().rights()
	}
	if cost > in.arrived-in.consumed || cost > maxQueued || rights > in.rightsArrived-in.rightsConsumed {
		return nil, errState
	}
	in.consumed, in.rightsConsumed = in.arrived-cost, in.rightsArrived-rights // what went beside them (Luggage) is given back now
	return in, nil
}

// maxQueued is what a queue costs at most: a full window, and the largest message that began when there was a little room still.
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

// An OutboxState is an Outbox that nothing is parked in.
type OutboxState struct {
	Shut, Deaf, Gone                bool
	Sent, Consumed                  uint64
	Buffer                          uint32
	RightsSent, RightsLimit, Serial uint64
}

// Look returns what the Outbox is made of, but for transfers.
func (o *Outbox) Look() OutboxState {
	return OutboxState{
		Shut: o.shut, Deaf: o.deaf, Gone: o.gone,
		Sent: o.sent, Consumed: o.consumed, Buffer: uint32(o.buffer),
		RightsSent: o.rightsSent, RightsLimit: o.rightsLimit, Serial: o.serial,
	}
}

// RestoreOutbox makes an Outbox of what Look has returned elsewhere.
func RestoreOutbox(t Type, s OutboxState) (*Outbox, error) {
	bounded := s.Sent <= maxTotal && s.RightsSent <= maxTotal && s.Serial <= maxTotal && s.Buffer >= minBuffer && s.Buffer <= maxBuffer
	if !t.Valid() || s.Consumed > s.Sent || !bounded {
		return nil, errState
	}
	return &Outbox{
		typ: t, shut: s.Shut, deaf: s.Deaf, gone: s.Gone, peer: Connected,
		sent: s.Sent, consumed: s.Consumed, buffer: int(s.Buffer),
		rightsSent: s.RightsSent, rightsLimit: s.RightsLimit, serial: s.Serial, former: s.Serial,
	}, nil
}

// Arrived returns the cost of what has come, and how many descriptors.
func (in *Inbox) Arrived() (cost, rights uint64) { return in.arrived, in.rightsArrived }

// Follow corrects what has been sent, under which number, and what of it has been credited. A socket that was sent over itself cannot know
// what its own message will have cost, nor what its former owner was told meanwhile; its peer does. If that owner has died before it read
// everything, an acknowledgement and credit that are old may still come.
func (o *Outbox) Follow(cost, rights, serial uint64, c Credit) {
	o.sent, o.rightsSent, o.serial, o.inherited = cost, rights, serial, serial
	o.consumed, o.rightsLimit = c.Consumed, c.Rights
}
