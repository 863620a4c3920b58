package sock

// A Phase is how far this end is on its way to another process (P8).
type Phase uint8

// The phases.
const (
	Stays     Phase = iota
	Begun           // no message begins any more; the peer knows nothing of it
	Announced       // the peer is told, or has been
	Detached        // … and nothing is written any more: the end is about to leave, or has left
	Unmissed        // the same, and nobody was left to be told
	LettingGo       // it has gone over itself, and its former owner says that it has let go of it
	Unborn          // it has come here, and nothing is written before its former owner has let go of it

	phases
)

// A Step is what its owner does with an end that moves.
type Step uint8

// The steps.
const (
	Begin    Step = iota // it is to move
	Announce             // its peer is told
	Detach               // nothing is under way, or it has left
	Stay                 // it does not move after all
	LetGoOf              // it has moved over itself
	Live                 // its former owner has let go of it

	steps
)

// refused is no phase: the step cannot be taken.
const refused = phases

// next is the table of an end's own phases: what Step leads where. An end that has left can stay
// all the same, since its message may turn out never to have been looked at.
var next = [phases][steps]Phase{
	//           Begin    Announce   Detach    Stay     LetGoOf    Live
	Stays:     {Begun, refused, refused, refused, refused, refused},
	Begun:     {refused, Announced, Unmissed, Stays, refused, refused},
	Announced: {refused, refused, Detached, Stays, refused, refused},
	Detached:  {refused, refused, Detached, Stays, LettingGo, refused},
	Unmissed:  {refused, refused, Unmissed, Stays, LettingGo, refused},
	LettingGo: {refused, refused, refused, refused, refused, refused},
	Unborn:    {refused, refused, refused, refused, refused, Stays},
}

// An Other is where the other end is, as far as this side has heard.
type Other uint8

// The places.
const (
	Present Other = iota
	Away          // it is moving, or has moved, and its new owner has not said hello: it may be in nobody's hands
	Coming        // it is moving over this connection, and has not come
	Come          // it has come over this connection, and its former owner has not let go of it

	others
)

// A News is what this side hears of the other end.
type News uint8

// What can be heard.
const (
	HeardMove   News = iota // it moves to another process
	HeardItself             // it moves over this connection
	HeardEnd                // ends have come over this connection, and if it is moving over that it is among them
	HeardGone               // its former owner has let go of it
	HeardHello              // whoever has it now says hello: a new owner, or the one who has kept it

	heards
)

// lie is no place: whoever says so breaks the rules.
const lie = others

// place is the table of the other end.
var place = [others][heards]Other{
	//       Move  Itself  End      Gone     Hello
	Present: {Away, Coming, Present, Present, lie},
	Away:    {lie, lie, Away, Away, Present},
	Coming:  {lie, lie, Come, Away, Present},
	Come:    {lie, lie, Come, Away, Present},
}

// A word is what this side has to say of an end that moved.
type word uint8

const (
	silent   word = iota // nothing
	deferred             // its hello, as soon as the other end's owner has said his, or before anything of the user's
	greeting             // it has said hello, or owes it, and has not heard one since
	crossed              // … and has heard one of an end that moved, which may have been said before ours was heard: that is answered still
)

// A message is how far one is that this side sends.
type message uint8

const (
	none   message = iota
	loaded         // its descriptors have been duplicated for the peer, and not been written
	sealed         // … and its luggage has been written, at least in part
	partly         // a part of it has been written, its descriptors included
)

// readies says which ready packets of the peer's can come.
type readies uint8

const (
	noReady  readies = iota
	oneReady         // the client's, in the handshake
	anyReady         // an end has moved, or is about to: there are hellos, each with a ready behind it
)

// A Shift is what a connection knows of moves, of either end. Its methods are the events; those that only ask change nothing.
//
// The phase of this end, the place of the other one, what this side has to say, and the message that it sends are independent of each
// other, but for this:
//
//   - The hello is deferred only while the other end is not Present: whoever has that end then says hello.
//   - unacked is the serial number of a Move of the other end's, which is not Present since. It is 0 as soon as the Move has been
//     acknowledged, or when it needs none; until then a message is loaded or sealed.
//   - route is that of the last move of this end's. It means something in each phase but Stays and Unborn.
//   - out is false while the other end is not Present, unless both ends go over this connection and this is the server's, whose message
//     goes first; and while a hello has not been answered.
//   - A step that the tables refuse changes nothing; what the peer says out of turn is ErrProtocol, and changes nothing.
type Shift struct {
	debts  *Debts
	server bool // this side created the connection

	phase   Phase
	route   Route
	other   Other
	unacked uint64
	word    word
	asked   bool // an answer to a hello may come
	message message
	readies readies
	in, out bool // descriptors may come, and go: it is known who duplicates them
}

// NewShift returns what a new connection knows. It owes what has to be said to debts.
func NewShift(debts *Debts, server bool) Shift {
	s := Shift{debts: debts, server: server}
	if server {
		s.readies = oneReady
	}
	return s
}

// Look returns what a new owner of this end has to know.
func (s *Shift) Look() ShiftState { return ShiftState{PeerAway: s.PeerAway(), Waits: s.Waits()} }

// Arrive makes s what an end knows that has come here with that state. One that does not wait says
// hello itself (Greet).
func (s *Shift) Arrive(is ShiftState) {
	s.phase, s.readies = Unborn, anyReady
	if is.PeerAway {
		s.other = Away
	}
	if is.Waits {
		s.word = deferred
	}
}

// take takes a step, and reports whether that was possible.
func (s *Shift) take(step Step) bool {
	to := next[s.phase][step]
	if to == refused {
		return false
	}
	s.phase = to
	return true
}

// Begin begins to move this end. It is false if the end is moving already, or has not come to life.
func (s *Shift) Begin(r Route) bool {
	if !s.take(Begin) {
		return false
	}
	s.route, s.readies = r, anyReady
	return true
}

// Announce notes that the peer is to be told that this end moves, or need not be.
func (s *Shift) Announce() bool { return s.take(Announce) }

// LeaveWord notes that whoever has the other end next has been told that this end moves: nobody
// acknowledges that, and the hello is said when he has said his.
func (s *Shift) LeaveWord() bool {
	if s.other == Present || !s.take(Announce) {
		return false
	}
	s.word = deferred
	return true
}

// Detach notes that this end writes nothing any more.
func (s *Shift) Detach() bool { return s.take(Detach) }

// Live notes that this end may write.
func (s *Shift) Live() bool { return s.take(Live) }

// LetGo notes that this end has gone over itself, and what its former owner says last.
func (s *Shift) LetGo() bool {
	if s.route != Itself || !s.take(LetGoOf) {
		return false
	}
	s.debts.Forgive()
	s.debts.OweMove(LetGo)
	return true
}

// Stay makes this end what it was. It reports whether the peer has been told that it moves, and so
// is to hear a hello (Greet).
func (s *Shift) Stay() (greet bool) {
	told := s.Leaving()
	if !s.take(Stay) {
		return false
	}
	switch {
	case !told:
		s.debts.Strike(DebtMove)
		return false
	case s.word == deferred: // nobody has come whom to tell
		return false
	}
	s.out = false // until it has been answered
	return true
}

// Greet notes that a hello is owed, of an end that has moved or has stayed. It says all that an
// earlier one would have.
func (s *Shift) Greet() {
	s.word, s.asked = greeting, true
	s.debts.OweHello(true)
}

// PeerMoves takes in that the other end is about to move, and acknowledges that under this serial
// number, if it has one, once nothing is on its way to the process that has that end now. Without
// one the Move was left for whoever would have this end.
func (s *Shift) PeerMoves(serial uint64, itself bool) error {
	heard := HeardMove
	if itself {
		heard = HeardItself
	}
	to := place[s.other][heard]
	if to == lie || serial == 0 && !s.asked && !s.Leaving() {
		return errMove
	}
	crossed := itself && s.route == Itself && (s.Leaving() || s.recants())
	if crossed && s.server { // the other end gives way
		to = Away
	} else {
		s.out = false
	}
	s.other, s.unacked, s.readies = to, serial, anyReady
	s.release()
	return nil
}

// recants reports whether this end has stayed, and the peer has not been told. To the peer it moves.
func (s *Shift) recants() bool {
	return s.phase == Stays && s.word == greeting && s.debts.Owes(DebtHello)
}

// release acknowledges the other end's Move once nothing is on its way there, and reports whether
// it has.
func (s *Shift) release() bool {
	if s.unacked == 0 || s.holds() {
		return false
	}
	s.debts.Acknowledge(s.unacked)
	s.unacked = 0
	return true
}

// PeerLeft notes that the other end has moved, which this side has moved as well.
func (s *Shift) PeerLeft() {
	if s.other == Present {
		s.other = Away
	}
}

// EndCame notes that ends have come over this connection.
func (s *Shift) EndCame() { s.other = place[s.other][HeardEnd] }

// PeerLetGo notes that the former owner of the other end has let go of it, and reports whether it
// was moving over this connection.
func (s *Shift) PeerLetGo() bool {
	held := s.Held()
	s.other = place[s.other][HeardGone]
	return held
}

// Expects reports whether a hello can come now: that of the other end's owner, unless that end has
// come here and waits to live (parked), or the answer to ours.
func (s *Shift) Expects(moved, parked bool) bool {
	if !moved {
		return s.asked
	}
	return place[s.other][HeardHello] != lie && !parked
}

// PeerHello takes in a hello, and owes what is to be said to it. An end that leaves says nothing:
// whoever has it then does.
func (s *Shift) PeerHello(moved, parked bool) error {
	if !s.Expects(moved, parked) {
		return errMove
	}
	s.readies = anyReady
	if moved {
		s.other = place[s.other][HeardHello]
		s.in = false
		s.answer()
	} else {
		s.asked = false
	}
	if s.Leaving() || s.other != Present {
		return nil
	}
	s.debts.Owe(DebtReady)
	if !moved && !s.Answered() {
		s.word = silent
	}
	return nil
}

// answer owes the answer to the hello of an end that has moved. It is a hello of the same kind if
// this end has moved, too, and has said nothing yet.
func (s *Shift) answer() {
	switch waited := s.word == deferred; {
	case s.Leaving() && waited:
		s.word = silent
	case s.Leaving():
	case waited:
		s.Greet()
		s.word = crossed
	default:
		if s.word == greeting {
			s.word = crossed
		}
		s.debts.OweHello(false)
	}
}

// Readies says whether a ready of the peer's can come, and whether it counts: while the other end
// is not Present it is not about whoever will have that.
func (s *Shift) Readies() (counts bool, err error) {
	if s.readies == noReady {
		return false, errMove
	}
	return s.other == Present, nil
}

// Agree notes that both sides know how descriptors travel. One that was said before a hello of ours
// lets us receive what was sent before.
func (s *Shift) Agree() {
	s.in, s.out = true, s.word != greeting
	if s.word == crossed { // it comes behind the answer, or there is none
		s.word = silent
	}
	if s.readies == oneReady {
		s.readies = noReady
	}
}

// Load notes that the descriptors of a message are being duplicated for the peer: false if they
// cannot be now.
func (s *Shift) Load() bool {
	if !s.Ready() {
		return false
	}
	s.message = loaded
	return true
}

// Unload notes that those of a message have been written, or taken back. It reports whether the
// peer's Move is acknowledged by that.
func (s *Shift) Unload() bool {
	switch s.message {
	case loaded:
		s.message = none
	case sealed:
		s.message = partly
	}
	return s.release()
}

// Wrote notes that a packet of a message has been written, and whether there is more.
func (s *Shift) Wrote(more bool) {
	switch {
	case s.holds() && more:
		s.message = sealed
	case s.holds():
		s.message = loaded
	case more:
		s.message = partly
	default:
		s.message = none
	}
}

// holds reports whether descriptors have been duplicated for the peer, and not been written.
func (s *Shift) holds() bool { return s.message == loaded || s.message == sealed }

// Quiet reports whether no message is half done.
func (s *Shift) Quiet() bool { return s.message == none }

// Moving reports whether this end is being moved, or has moved.
func (s *Shift) Moving() bool { return s.phase != Stays && s.phase != Unborn }

// Leaving reports whether the peer knows that this end moves: it hears the next hello from whoever
// has the end then.
func (s *Shift) Leaving() bool {
	switch s.phase {
	case Announced, Detached, LettingGo:
		return !s.debts.Owes(DebtMove)
	}
	return false
}

// Lives reports whether this end's former owner has let go of it.
func (s *Shift) Lives() bool { return s.phase != Unborn }

// Itself reports whether the last move of this end is over itself.
func (s *Shift) Itself() bool { return s.route == Itself }

// silenced reports whether this end writes nothing.
func (s *Shift) silenced() bool {
	return s.phase == Detached || s.phase == Unmissed || s.phase == Unborn
}

// Held reports whether the other end is moving over this very connection, so that hardly anything
// is said.
func (s *Shift) Held() bool { return s.other == Coming || s.other == Come }

// Abroad reports whether the other end may be in nobody's hands.
func (s *Shift) Abroad() bool { return s.other == Away }

// PeerAway reports whether whoever has the other end next has not said hello.
func (s *Shift) PeerAway() bool { return s.other != Present }

// Waits reports whether the hello of an end that has moved, or is about to, waits for that of the
// other one.
func (s *Shift) Waits() bool { return s.word == deferred }

// Presents reports whether this end has to say hello before its owner says anything else: what he
// writes is not the former owner's.
func (s *Shift) Presents() bool { return s.word == deferred && !s.Moving() }

// Answered reports whether a hello has come since ours. Before that this end does not move again:
// if it stayed, two answers would be under way, and the first be taken for both. A peer that is not
// moving itself answers before it would acknowledge the move, so that this costs no time.
func (s *Shift) Answered() bool { return s.word != greeting && s.word != crossed }

// Ready reports whether descriptors may go: no end is moving, or this one over itself.
func (s *Shift) Ready() bool { return s.out && (!s.Moving() || s.route == Itself) }

// Agreed reports whether descriptors may come.
func (s *Shift) Agreed() bool { return s.in }

// Stops reports whether no packet of the user's can be written now, of a message that has begun or
// not. A message whose luggage has been written is what the peer's Move waits for.
func (s *Shift) Stops(begun bool) bool {
	return s.Held() && !(begun && s.holds()) || s.silenced() || s.Moving() && !begun
}

// Hears says which debts the peer can hear now. While its end moves over this connection it hears
// acknowledgements; and as long as that has not come, the credit that it may need, and that there
// is nobody to take it.
func (s *Shift) Hears() Hearing {
	switch {
	case s.silenced():
		return HearsNothing
	case s.other == Come:
		return HearsAcks
	case s.other == Coming:
		return HearsCredit
	}
	return HearsAll
}
