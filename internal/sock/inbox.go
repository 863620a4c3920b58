package sock

// take copies as much of s as fits into b, unless that has been placed there.
func (in *Inbox) take(s *Segment, b []byte) (n int) {
	if n = s.Placed; n > 0 {
		s.Placed = 0
		in.placed--
	} else {
		n = copy(b, s.Data)
	}
	s.Data = s.Data[n:]
	s.cost -= uint64(n)
	in.state.Consumed += uint64(n)
	return n
}

// A Result is what a read took out of an Inbox. The caller owns Rights.
type Result struct {
	N         int
	Rights    Rights
	Lost      bool   // descriptors came, but could not be installed
	Creds     uint32 // as in Segment
	Truncated bool   // the record was longer than the buffer
}

// End is how reading ends once an Inbox is empty.
type End uint8

// The ends.
const (
	Open      End = iota // it has not ended: wait
	EOF                  // nothing more will come
	ConnReset            // the peer left something unread; reported once, then EOF
	Failed               // the connection broke: see package endpoint
)

// An Inbox is the receiving half of a socket.
type Inbox struct {
	typ   Type
	state InboxState // which moves with the socket, and the queue

	queue     queue
	apart     bool     // bytes with different credentials are told apart (row 71)
	closed    bool     // by its owner: whatever arrives is discarded
	placed    int      // how many segments have bytes in the buffer of the Read that waits
	unread    bool     // something was discarded because it was closed
	luggage   bool     // the last packets of the message that is arriving were luggage
	discarded []Rights // what nobody will read
}

// NewInbox returns the receiving half of a socket that takes up to rights descriptors ahead of its
// reader.
func NewInbox(t Type, rights int) *Inbox {
	return &Inbox{typ: t, state: InboxState{
		RightsGranted: uint64(rights), RightsWindow: uint64(rights), Window: DefaultWindow,
	}}
}

// SetWindow notes the peer's buffer size. It counts for what arrives from now on.
func (in *Inbox) SetWindow(bytes uint32) error {
	if bytes < MinWindow || bytes > MaxWindow {
		return errWindow
	}
	in.state.Window = uint64(bytes)
	return nil
}

// Admit checks that the peer may send a packet now, and books it. It comes before the descriptors
// are adopted, so that nobody makes us adopt more than we said. The window counts when a message
// begins, or its luggage; its later pieces only have to keep it below the largest message, and
// luggage has a bound of its own.
func (in *Inbox) Admit(a Arrival) error {
	if !a.Continued && !in.luggage && in.state.Arrived-in.state.Reported >= in.state.Window {
		return errWindow
	}
	if !a.Continued && !(in.luggage && a.Luggage) {
		in.state.Message, in.state.Pieces = 0, 0
	}
	in.luggage = a.Luggage
	in.state.Message += uint32(a.Bytes)
	in.state.Pieces++
	size, pieces := uint32(MaxWindow), uint32(maxPieces)
	if in.luggage {
		size, pieces = MaxLuggage, maxLuggagePieces
	}
	if in.state.Message > size || in.state.Pieces > pieces {
		return errWindow
	}
	if in.state.RightsArrived+uint64(a.Weight()) > in.state.RightsGranted {
		return errRights
	}
	in.state.Arrived += a.cost()
	in.state.RightsArrived += uint64(a.Weight())
	return nil
}

// Put appends what has been admitted. It reports whether a reader can make progress now. The Inbox
// owns the segment from here on, and discards it at once if it has been closed, or if there is an
// error.
func (in *Inbox) Put(s Segment) (wake bool, err error) {
	s.cost = Cost(len(s.Data))
	if s.Placed > 0 {
		in.placed++
	}
	if in.closed {
		in.unread = true
		in.discard(&s)
		return false, nil
	}
	switch {
	case in.state.Ended:
		in.discard(&s)
		return false, errEnded
	case in.typ != Stream:
		return in.putPiece(s)
	case s.More || s.Continued:
		in.discard(&s)
		return false, errPieces
	case len(s.Data) == 0:
		in.discard(&s)
		return false, errEmpty
	}
	in.queue.push(s)
	return true, nil
}

// putPiece appends a record or a piece of one. Pieces stay queued as they are; a record can be read
// once its last piece is there (S4).
func (in *Inbox) putPiece(s Segment) (wake bool, err error) {
	open := in.queue.len() > 0 && in.queue.last().More
	if s.Continued != open {
		in.discard(&s)
		return false, errPieces
	}
	in.queue.push(s)
	return !s.More, nil
}

// Keep discards everything behind the first n records, whole or not.
func (in *Inbox) Keep(n int) {
	at := 0
	for ; n > 0 && at < in.queue.len(); at++ {
		if !in.queue.at(at).More {
			n--
		}
	}
	for in.queue.len() > at {
		in.lose(in.queue.last())
		in.queue.drop()
	}
}

// Disconnect discards what is queued when a datagram socket has lost its peer: see Peer.Part.
func (in *Inbox) Disconnect() { in.Keep(0) }

// Skip discards the first n records, which are whole.
func (in *Inbox) Skip(n int) {
	for n > 0 {
		if s := in.queue.first(); !s.More {
			n--
		}
		in.lose(in.queue.first())
		in.queue.pop()
	}
}

// lose discards s, and books it as read.
func (in *Inbox) lose(s *Segment) {
	in.state.Consumed += s.cost
	in.state.RightsConsumed += s.rights()
	in.discard(s)
}

// Unfinished reports whether pieces of the last record have not come.
func (in *Inbox) Unfinished() bool { return in.queue.len() > 0 && in.queue.last().More }

// Queued reports whether anything is in the queue, be it a part of a record only.
func (in *Inbox) Queued() bool { return in.queue.len() > 0 }

// Ready reports whether Read would return something.
func (in *Inbox) Ready() bool {
	if in.typ == Stream {
		return in.queue.len() > 0
	}
	for i := range in.queue.len() {
		if !in.queue.at(i).More {
			return true
		}
	}
	return false
}

// Records returns how many whole records there are.
func (in *Inbox) Records() (n int) {
	for i := range in.queue.len() {
		if !in.queue.at(i).More {
			n++
		}
	}
	return n
}

// TellApart says whether the owner wants to know whose bytes it reads: a read then stops where that
// changes (row 71).
func (in *Inbox) TellApart(on bool) { in.apart = on }

// Wants reports whether more than there is would matter to a read of n bytes, if only it came: to a
// stream, bytes that it would take, to records, a reset.
func (in *Inbox) Wants(n int) bool {
	if in.typ != Stream {
		return in.typ == Seqpacket && !in.state.Gone
	}
	for i := range in.queue.len() {
		s := in.queue.at(i)
		if n -= len(s.Data); n <= 0 || s.Rights != nil || s.Lost || in.differ(s, in.queue.first().Creds) {
			return false
		}
	}
	return true
}

// ResetFirst reports whether a reset comes before what is queued. On a stream it comes behind.
func (in *Inbox) ResetFirst() bool { return in.typ == Seqpacket && in.state.Reset }

// Read takes what one recvmsg(2) would give: on a stream, bytes up to the end of the first segment
// that brought descriptors; else one record. The Inbox must be Ready.
func (in *Inbox) Read(b []byte) (r Result) {
	if in.typ == Stream {
		return in.readStream(b)
	}
	return in.readRecord(b)
}

// readStream follows unix_stream_read_generic: descriptors go with the first byte of their segment,
// even if b is empty (row 17); what came before them is merged with it (row 26); nothing is taken
// beyond them (rows 27, 30), nor beyond a change of credentials (row 71).
func (in *Inbox) readStream(b []byte) (r Result) {
	for first := true; in.queue.len() > 0 && (first || r.N < len(b)); first = false {
		s := in.queue.first()
		if !first && in.differ(s, r.Creds) {
			break
		}
		r.Creds = s.Creds
		r.N += in.take(s, b[r.N:])
		stop := in.takeRights(s, &r)
		if len(s.Data) > 0 {
			break
		}
		in.finish(s)
		if stop {
			break
		}
	}
	return r
}

// readRecord takes one record, and loses what does not fit.
func (in *Inbox) readRecord(b []byte) (r Result) {
	for {
		s := in.queue.first()
		r.N += in.take(s, b[r.N:])
		r.Creds = max(r.Creds, s.Creds)
		r.Truncated = r.Truncated || len(s.Data) > 0
		in.takeRights(s, &r)
		more := s.More
		in.finish(s)
		if !more {
			return r
		}
	}
}

// differ reports whether a read that has bytes of the writer creds must not go on with s.
func (in *Inbox) differ(s *Segment, creds uint32) bool { return in.apart && s.Creds != creds }

// takeRights moves the descriptors of s to r, and reports whether s brought any.
func (in *Inbox) takeRights(s *Segment, r *Result) bool {
	if s.Rights == nil && !s.Lost {
		return false
	}
	r.Lost = r.Lost || s.Lost
	if s.Rights != nil {
		in.state.RightsConsumed += s.rights()
		r.Rights, s.Rights, s.Luggage = s.Rights, nil, 0
	}
	s.Lost = false
	return true
}

// finish removes the first segment, s, from the queue, read or not.
func (in *Inbox) finish(s *Segment) {
	in.state.Consumed += s.cost
	s.release()
	in.queue.pop()
}

// Peek copies what Read would give and leaves it there. The descriptors of the result are still the
// Inbox's. It must be Ready. On a stream it shows the next descriptors even if they belong to bytes
// for which b has no room, as unix_stream_read_generic does.
func (in *Inbox) Peek(b []byte) (r Result) {
	for i := range in.queue.len() {
		s := in.queue.at(i)
		if i > 0 && in.typ == Stream && in.differ(s, r.Creds) {
			break
		}
		n := copy(b[r.N:], s.Data)
		r.N += n
		r.Creds = max(r.Creds, s.Creds)
		if s.Rights != nil {
			r.Rights = s.Rights
		}
		r.Lost = r.Lost || s.Lost
		if in.typ != Stream {
			r.Truncated = r.Truncated || n < len(s.Data)
			if !s.More {
				break
			}
			continue
		}
		if s.Rights != nil || s.Lost {
			break
		}
	}
	return r
}

// Unplace undoes placing: b is what is left of the buffer of the Read that waited, which will not
// take what was placed there after all.
func (in *Inbox) Unplace(b []byte) {
	at := 0
	for i := 0; in.placed > 0; i++ {
		s := in.queue.at(i)
		if s.Placed > 0 {
			copy(s.Data, b[at:at+s.Placed])
			s.Placed = 0
			in.placed--
		}
		at += len(s.Data)
	}
}

// Bytes returns how many bytes are in the queue.
func (in *Inbox) Bytes() (n int) {
	for i := range in.queue.len() {
		n += len(in.queue.at(i).Data)
	}
	return n
}

// Refund books descriptors that were admitted but will never be read, because they could not be
// installed.
func (in *Inbox) Refund(descs int) { in.state.RightsConsumed += uint64(descs) }

// Grant raises the number of descriptors that are taken ahead of the reader. The peer learns it
// from the hello or the next credit.
func (in *Inbox) Grant(window int) {
	in.state.RightsWindow = max(in.state.RightsWindow, uint64(window))
}

// Granted returns how many descriptors the peer may send, for our hello.
func (in *Inbox) Granted() uint64 {
	in.state.RightsGranted = in.state.RightsConsumed + in.state.RightsWindow
	return in.state.RightsGranted
}

// A Credit says what the peer may send: totals since the hello.
type Credit struct {
	Consumed uint64
	Rights   uint64
}

// CreditDue returns what the peer should be told, once that is worth a packet: three quarters of
// its window have been read, or it may lack descriptors for a full message and there are some to
// give, or many. A peer that is held up always gets its credit: by the time that everything has
// been read, one of the two is true.
func (in *Inbox) CreditDue() (Credit, bool) {
	grant := in.state.RightsConsumed + in.state.RightsWindow
	bytes := in.state.Consumed-in.state.Reported >= in.state.Window/4*3
	rights := grant > in.state.RightsGranted && (in.state.RightsGranted-in.state.RightsArrived < MaxRights || grant-in.state.RightsGranted >= MaxWeight)
	if !bytes && !rights {
		return Credit{}, false
	}
	in.state.Reported, in.state.RightsGranted = in.state.Consumed, grant
	return Credit{Consumed: in.state.Consumed, Rights: grant}, true
}

// Reported is what the peer has been told by CreditDue, or is to be.
func (in *Inbox) Reported() Credit {
	return Credit{Consumed: in.state.Reported, Rights: in.state.RightsGranted}
}

// Shut notes that the owner has shut down reading. What is queued can still be read (row 152), and
// what the peer sent before it knew of this, too.
func (in *Inbox) Shut() { in.state.Shut = true }

// Finish notes that the peer sends nothing more: it has shut down writing, or is closed (row 151).
func (in *Inbox) Finish() { in.state.Shut, in.state.Ended = true, true }

// Leave notes that the peer has been closed.
func (in *Inbox) Leave() {
	in.Finish()
	in.state.Gone = true
}

// Reset notes that the peer has been closed and left something of ours unread (row 154).
func (in *Inbox) Reset() {
	in.Leave()
	in.state.Reset = true
}

// Fail notes that the connection broke. What is queued can still be read, but for an incomplete
// record.
func (in *Inbox) Fail() { in.state.Failed = true }

// Left reports whether the peer has been closed.
func (in *Inbox) Left() bool { return in.state.Gone }

// Ending reports whether reading has ended though the peer is not known to be closed.
func (in *Inbox) Ending() bool { return in.state.Shut && !in.state.Gone }

// TakeReset reports whether a reset is to be reported, and takes it away.
func (in *Inbox) TakeReset() bool {
	was := in.state.Reset
	in.state.Reset = false
	return was
}

// End says how reading ends, when Read has nothing. ConnReset is returned once.
func (in *Inbox) End() End {
	switch {
	case in.TakeReset():
		return ConnReset
	case in.state.Failed:
		return Failed
	case in.state.Shut:
		return EOF
	}
	return Open
}

// Close discards what was not read, now and from now on.
func (in *Inbox) Close() {
	in.closed = true
	if in.queue.len() == 1 && len(in.queue.first().Data) == 0 { // unix_release_sock does not count it
		in.discard(in.queue.first())
		in.queue.pop()
	}
	for in.queue.len() > 0 {
		in.unread = true
		in.discard(in.queue.first())
		in.queue.pop()
	}
}

// Unread reports whether Close discarded anything.
func (in *Inbox) Unread() bool { return in.unread }

// Discarded hands over the descriptors that Put, Keep, Skip and Close have discarded, for the
// caller to close: whatever they are, nothing here waits for them.
func (in *Inbox) Discarded() []Rights {
	discarded := in.discarded
	in.discarded = nil
	return discarded
}

func (in *Inbox) discard(s *Segment) {
	if s.Placed > 0 {
		in.placed--
	}
	s.release()
	if s.Rights != nil {
		in.discarded = append(in.discarded, s.Rights)
		s.Rights = nil
	}
}
