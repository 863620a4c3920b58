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

// Moves is what a connection knows of moves, of either end. Its methods are the events; those that
// only ask change nothing.
//
// The phase of this end, the place of the other one, what this side has to say, and the message
// that it sends are independent of each other, but for this:
//
//   - The hello is deferred only while the other end is not Present: whoever has that end then says
//     hello. So both ends never defer it at a time: an end defers its hello because the other one
//     has announced that it moves, and who has announced that says hello in any case.
//   - unacked is the serial number of a Move of the other end's, which is not Present since. It is
//     0 as soon as the Move has been acknowledged, or when it needs none; until then a message is
//     loaded or sealed.
//   - route is that of the last move of this end's. It means something in each phase but Stays and
//     Unborn. announced is that of the last move that was announced: the next one may have begun
//     before the peer has heard that this end stays.
//   - out is false while the other end is not Present, unless both ends go over this connection and
//     this is the server's, whose message goes first; and while a hello has not been answered.
//   - A step that the tables refuse changes nothing; what the peer says out of turn is ErrProtocol,
//     and changes nothing.
type Moves struct {
	debts  *Debts
	server bool // this side created the connection

	phase     Phase
	route     Route
	announced Route
	other     Other
	unacked   uint64
	word      word
	asked     bool // an answer to a hello may come
	message   message
	readies   readies
	in, out   bool // descriptors may come, and go: it is known who duplicates them
}

// NewMoves returns what a new connection knows. It owes what has to be said to debts.
func NewMoves(debts *Debts, server bool) Moves {
	m := Moves{debts: debts, server: server}
	if server {
		m.readies = oneReady
	}
	return m
}

// Look returns what a new owner of this end has to know.
func (m *Moves) Look() MovesState { return MovesState{PeerAway: m.PeerAway(), Waits: m.Waits()} }

// Arrive makes m what an end knows that has come here with that state. One that does not wait says
// hello itself (Greet).
func (m *Moves) Arrive(is MovesState) {
	m.phase, m.readies = Unborn, anyReady
	m.asked = !is.Waits // by a former owner, if the peer is gone: see Answered
	if is.PeerAway {
		m.other = Away
	}
	if is.Waits {
		m.word = deferred
	}
}

// take takes a step, and reports whether that was possible.
func (m *Moves) take(step Step) bool {
	to := next[m.phase][step]
	if to == refused {
		return false
	}
	m.phase = to
	return true
}

// Begin begins to move this end. It is false if the end is moving already, or has not come to life.
func (m *Moves) Begin(r Route) bool {
	if !m.take(Begin) {
		return false
	}
	m.route, m.readies = r, anyReady
	return true
}

// Announce notes that the peer is to be told that this end moves, or need not be.
func (m *Moves) Announce() bool {
	if !m.take(Announce) {
		return false
	}
	m.announced = m.route
	return true
}

// LeaveWord notes that whoever has the other end next has been told that this end moves: nobody
// acknowledges that, and the hello is said when he has said his.
func (m *Moves) LeaveWord() bool {
	if m.other == Present || !m.Announce() {
		return false
	}
	m.word = deferred
	return true
}

// Detach notes that this end writes nothing any more.
func (m *Moves) Detach() bool { return m.take(Detach) }

// Live notes that this end may write.
func (m *Moves) Live() bool { return m.take(Live) }

// LetGo notes that this end has gone over itself, and what its former owner says last.
func (m *Moves) LetGo() bool {
	if m.route != Itself || !m.take(LetGoOf) {
		return false
	}
	m.debts.Forgive()
	m.debts.OweMove(LetGo)
	return true
}

// Stay makes this end what it was. It reports whether the peer has been told that it moves, and so
// is to hear a hello (Greet).
func (m *Moves) Stay() (greet bool) {
	told := m.Leaving()
	if !m.take(Stay) {
		return false
	}
	switch {
	case !told:
		m.debts.Strike(DebtMove)
		return false
	case m.word == deferred: // nobody has come whom to tell
		return false
	}
	m.out = false // until it has been answered
	return true
}

// Greet notes that a hello is owed, of an end that has moved or has stayed. It says all that an
// earlier one would have.
func (m *Moves) Greet() {
	m.word, m.asked = greeting, true
	m.debts.OweHello(true)
}

// PeerMoves takes in that the other end is about to move, and acknowledges that under this serial
// number, if it has one, once nothing is on its way to the process that has that end now. Without
// one the Move was left for whoever would have this end.
func (m *Moves) PeerMoves(serial uint64, itself bool) error {
	heard := HeardMove
	if itself {
		heard = HeardItself
	}
	to := place[m.other][heard]
	if to == lie || serial == 0 && !m.asked && !m.Leaving() {
		return errMove
	}
	crossed := itself && (m.Leaving() || m.recants())
	first := crossed && m.announced == Itself && m.server
	if first || crossed && m.announced == Elsewhere { // the other end stays: it hears our Move before it can go
		to = Away
	}
	m.out = m.out && first
	m.other, m.unacked, m.readies = to, serial, anyReady
	m.release()
	return nil
}

// recants reports whether this end has stayed, and the peer has not been told, whatever has begun
// since. To the peer it moves.
func (m *Moves) recants() bool { return m.word == greeting && m.debts.Owes(DebtHello) }

// release acknowledges the other end's Move once nothing is on its way there, and reports whether
// that end still moves: it may have stayed meanwhile. What it has sent since is not acknowledged
// before the Move, because from that acknowledgement it takes that no message comes any more to
// luggage that it has.
func (m *Moves) release() bool {
	switch {
	case m.unacked == 0:
		return false
	case m.Holds():
		m.debts.Hold(m.unacked)
		return false
	}
	m.debts.Acknowledge(m.unacked)
	m.unacked = 0
	return m.other != Present
}

// PeerLeft notes that the other end has moved, which this side has moved as well.
func (m *Moves) PeerLeft() {
	if m.other == Present {
		m.other = Away
	}
}

// EndCame notes that ends have come over this connection.
func (m *Moves) EndCame() { m.other = place[m.other][HeardEnd] }

// PeerLetGo notes that the former owner of the other end has let go of it, and reports whether it
// was moving over this connection.
func (m *Moves) PeerLetGo() bool {
	held := m.Held()
	m.other = place[m.other][HeardGone]
	return held
}

// Expects reports whether a hello can come now: that of the other end's owner, unless that end has
// come here and waits to live (parked), or the answer to ours.
func (m *Moves) Expects(moved, parked bool) bool {
	if !moved {
		return m.asked
	}
	return place[m.other][HeardHello] != lie && !parked
}

// PeerHello takes in a hello, and owes what is to be said to it. An end that leaves says nothing:
// whoever has it then does.
func (m *Moves) PeerHello(moved, parked bool) error {
	if !m.Expects(moved, parked) {
		return errMove
	}
	m.readies = anyReady
	if moved {
		m.other = place[m.other][HeardHello]
		m.in = false
		m.answer()
	} else {
		m.asked = false
	}
	if m.Leaving() || m.other != Present {
		return nil
	}
	m.debts.Owe(DebtReady)
	if !moved && !m.Answered() {
		m.word = silent
	}
	return nil
}

// answer owes the answer to the hello of an end that has moved. It is a hello of the same kind if
// this end has moved, too, and has said nothing yet.
func (m *Moves) answer() {
	switch waited := m.word == deferred; {
	case m.Leaving() && waited:
		m.word = silent
	case m.Leaving():
	case waited:
		m.Greet()
		m.word = crossed
	default:
		if m.word == greeting {
			m.word = crossed
		}
		m.debts.OweHello(false)
	}
}

// Readies says whether a ready of the peer's can come, and whether it counts: while the other end
// is not Present it is not about whoever will have that.
func (m *Moves) Readies() (counts bool, err error) {
	if m.readies == noReady {
		return false, errMove
	}
	return m.other == Present, nil
}

// Agree notes that both sides know how descriptors travel. One that was said before a hello of ours
// lets us receive what was sent before.
func (m *Moves) Agree() {
	m.in, m.out = true, m.word != greeting
	if m.word == crossed { // it comes behind the answer, or there is none
		m.word = silent
	}
	if m.readies == oneReady {
		m.readies = noReady
	}
}

// Load notes that the descriptors of a message are being duplicated for the peer: false if they
// cannot be now.
func (m *Moves) Load() bool {
	if !m.Ready() {
		return false
	}
	m.message = loaded
	return true
}

// Unload notes that those of a message have been written, or taken back. It reports whether the
// peer's Move is acknowledged by that, and goes on.
func (m *Moves) Unload() bool {
	switch m.message {
	case loaded:
		m.message = none
	case sealed:
		m.message = partly
	}
	return m.release()
}

// Abandon notes that the rest of a message that is partly written will not be, since its owner has
// shut down writing. It reports whether there is such a message.
func (m *Moves) Abandon() bool {
	if m.message != partly {
		return false
	}
	m.message = none
	return true
}

// Wrote notes that a packet of a message has been written, and whether there is more.
func (m *Moves) Wrote(more bool) {
	switch {
	case m.Holds() && more:
		m.message = sealed
	case m.Holds():
		m.message = loaded
	case more:
		m.message = partly
	default:
		m.message = none
	}
}

// Holds reports whether descriptors have been duplicated for the peer, and not been written, but
// for luggage.
func (m *Moves) Holds() bool { return m.message == loaded || m.message == sealed }

// Quiet reports whether no message is half done.
func (m *Moves) Quiet() bool { return m.message == none }

// Moving reports whether this end is being moved, or has moved.
func (m *Moves) Moving() bool { return m.phase != Stays && m.phase != Unborn }

// Leaving reports whether the peer knows that this end moves: it hears the next hello from whoever
// has the end then.
func (m *Moves) Leaving() bool {
	switch m.phase {
	case Announced, Detached, LettingGo:
		return !m.debts.Owes(DebtMove)
	}
	return false
}

// Lives reports whether this end's former owner has let go of it.
func (m *Moves) Lives() bool { return m.phase != Unborn }

// Itself reports whether the last move of this end is over itself.
func (m *Moves) Itself() bool { return m.route == Itself }

// silenced reports whether this end writes nothing.
func (m *Moves) silenced() bool {
	return m.phase == Detached || m.phase == Unmissed || m.phase == Unborn
}

// Held reports whether the other end is moving over this very connection, so that hardly anything
// is said.
func (m *Moves) Held() bool { return m.other == Coming || m.other == Come }

// Abroad reports whether the other end may be in nobody's hands.
func (m *Moves) Abroad() bool { return m.other == Away }

// PeerAway reports whether whoever has the other end next has not said hello.
func (m *Moves) PeerAway() bool { return m.other != Present }

// PeerWaits reports whether the other end's Move has not been acknowledged.
func (m *Moves) PeerWaits() bool { return m.unacked != 0 }

// Waits reports whether the hello of an end that has moved, or is about to, waits for that of the
// other one.
func (m *Moves) Waits() bool { return m.word == deferred }

// Presents reports whether this end has to say hello before its owner says anything else: what he
// writes is not the former owner's.
func (m *Moves) Presents() bool { return m.word == deferred && !m.Moving() }

// Answered reports whether the peer has answered our last hello. An end does not move again before
// that. Suppose that it did, and then stayed: it would say a second hello, the answers to both
// would be under way, and the first answer would be taken for the second. The wait costs no time,
// because a peer that does not move itself answers the hello before it acknowledges the next move.
func (m *Moves) Answered() bool { return m.word != greeting && m.word != crossed }

// Ready reports whether descriptors may go: no end is moving, or this one over itself.
func (m *Moves) Ready() bool { return m.out && (!m.Moving() || m.route == Itself) }

// Agreed reports whether descriptors may come.
func (m *Moves) Agreed() bool { return m.in }

// Stops reports whether no packet of the user's can be written now, of a message that has begun or
// not. A message whose luggage has been written is what the peer's Move waits for.
func (m *Moves) Stops(begun bool) bool {
	return m.Held() && !(begun && m.Holds()) || m.silenced() || m.Moving() && !begun
}

// Hears says which debts the peer can hear now. While its end moves over this connection it hears
// acknowledgements; and as long as that has not come, the credit that it may need, and that there
// is nobody to take it.
func (m *Moves) Hears() Hearing {
	switch {
	case m.silenced():
		return HearsNothing
	case m.other == Come:
		return HearsAcks
	case m.other == Coming:
		return HearsCredit
	}
	return HearsAll
}

// HearsBye reports whether the peer can hear that this end is closed. If not, it can as soon as
// this side has heard more.
func (m *Moves) HearsBye() bool { return m.Hears() <= HearsCredit }
