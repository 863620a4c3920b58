package sock

import "math/bits"

// A Debt is one thing that the transport itself has to tell the peer (S6).
type Debt uint8

// The debts, in the order in which they are paid.
const (
	DebtHello    Debt = iota // of an end that moves, or the answer to one
	DebtReady                // what this side can do to the peer, which has said hello
	DebtAck                  // that transfers of the peer's are done
	DebtRefuse               // that datagrams of the peer's have not been queued
	DebtCancel               // that nobody waits any longer for a datagram to be queued
	DebtCredit               // what the peer may send
	DebtOptions              // SO_SNDBUF, SO_PASSCRED, and the name that the socket has chosen
	DebtShutdown             // that a half is shut down
	DebtMove                 // that this end moves
	DebtBye                  // that this end is closed

	debts
)

// Halves are halves of a socket.
type Halves uint8

// The halves.
const (
	ReadHalf Halves = 1 << iota
	WriteHalf
)

// A Route is the way in which an end moves, as its peer hears of it.
type Route uint8

// The routes.
const (
	Elsewhere Route = iota // to another process, by another connection or none
	Itself                 // over the connection whose end it is
	LetGo                  // it has come over that connection, and its former owner has let go of it
)

// A Hearing says which debts the peer can hear now.
type Hearing uint8

// The hearings.
const (
	HearsAll    Hearing = iota // whatever there is
	HearsCredit                // acknowledgements, and when there are none, the credit that the peer may need, and that there is nobody to take it
	HearsAcks                  // acknowledgements alone
	HearsNothing
)

// Debts are what the transport itself has to tell the peer. They are state rather than a queue:
// what is said later includes what was to be said before, so they need no bound. They are paid
// before any data.
//
// A debt is booked as paid before its packet is written (Pay), and then settled (Paid) or owed
// again (Unpay). The peer may have answered before the writer is back, and the debt may be owed
// once more by then. What holds:
//
//   - One debt is being paid at a time. Until that is settled nobody asks for an acknowledgement
//     (Ask), and nothing of what there is to a hello, a shutdown, a move or a goodbye changes.
//   - What there is to a hello, a shutdown or a move is kept while the debt is owed or being paid,
//     and nothing is kept afterwards. So a flag that has been told is not told again.
//   - A transfer in done is Written and not in an Outbox, unless its debt is being paid.
//   - ack only grows: a transfer that is done stays done. later is 0 while held is.
type Debts struct {
	owed  uint16 // a bit for each debt
	ack   uint64
	end   uint64 // from this transfer on nothing is acknowledged; 0: anything may be
	held  uint64 // no later transfer is acknowledged before this one; 0: any may be
	later uint64 // such a transfer that is done
	about struct {
		refused, cancelled uint64
		why                Fate
	}
	moved bool // with the hello: this side's end has moved
	half  Halves
	route Route
	reset bool // with the goodbye

	done [debts]*Transfer // what waits for the acknowledgement of a debt, if anybody does
}

// Owes reports whether d is owed.
func (o *Debts) Owes(d Debt) bool { return o.owed&(1<<d) != 0 }

// Any reports whether anything is owed.
func (o *Debts) Any() bool { return o.owed != 0 }

// Owe notes that the peer is to be told d, of which there is nothing more to say here.
func (o *Debts) Owe(d Debt) { o.owed |= 1 << d }

// OweHello notes that a hello is owed. With moved, it is that of an end that has moved; it stays
// that until it has been paid.
func (o *Debts) OweHello(moved bool) {
	o.moved = o.moved || moved
	o.Owe(DebtHello)
}

// Acknowledge notes that the peer's transfers up to serial are done, but for those behind one that
// is held.
func (o *Debts) Acknowledge(serial uint64) {
	if o.end > 0 && serial >= o.end {
		return
	}
	switch {
	case o.held == 0 || serial < o.held:
	case serial > o.held:
		o.later = max(o.later, serial)
		return
	default:
		serial = max(serial, o.later)
		o.held, o.later = 0, 0
	}
	if serial > o.ack {
		o.ack = serial
		o.Owe(DebtAck)
	}
}

// Hold notes that transfers behind serial are not to be acknowledged before serial is: that would
// acknowledge serial, too.
func (o *Debts) Hold(serial uint64) { o.held = serial }

// Acknowledged reports whether the peer has been told of all transfers that are done.
func (o *Debts) Acknowledged() bool { return !o.Owes(DebtAck) && o.later == 0 }

// Ignore notes that the peer's transfer serial is not looked at. So it is not acknowledged, and
// nothing is that comes later.
func (o *Debts) Ignore(serial uint64) {
	if o.end == 0 {
		o.end = serial
	}
}

// Refuse notes that the peer's datagrams up to serial have not been queued, and what that means for
// them.
func (o *Debts) Refuse(serial uint64, why Fate) {
	o.about.refused, o.about.why = serial, why
	o.Owe(DebtRefuse)
}

// Cancel notes that nobody waits any longer for the datagram with this serial number to be queued.
func (o *Debts) Cancel(serial uint64) {
	o.about.cancelled = serial
	o.Owe(DebtCancel)
}

// OweShutdown notes that the peer is to be told that h is shut down.
func (o *Debts) OweShutdown(h Halves) {
	o.half |= h
	o.Owe(DebtShutdown)
}

// OweMove notes that the peer is to be told that this end moves in this way.
func (o *Debts) OweMove(r Route) {
	o.route = r
	o.Owe(DebtMove)
}

// OweBye notes that the peer is to be told that this end is closed, and whether it has left
// something unread.
func (o *Debts) OweBye(reset bool) {
	o.reset = reset
	o.Owe(DebtBye)
}

// Ask returns the transfer that ends when the peer has acknowledged d: options, a shutdown or a
// move. The caller notes that d is owed.
func (o *Debts) Ask(d Debt) *Transfer {
	if o.done[d] == nil {
		o.done[d] = new(Transfer)
	}
	return o.done[d]
}

// Strike notes that d is not owed any more.
func (o *Debts) Strike(d Debt) {
	o.owed &^= 1 << d
	o.forget(d)
}

// Forgive strikes everything.
func (o *Debts) Forgive() {
	for d := range debts {
		o.Strike(d)
	}
}

// forget forgets what there was to d.
func (o *Debts) forget(d Debt) {
	o.done[d] = nil
	switch d {
	case DebtHello:
		o.moved = false
	case DebtShutdown:
		o.half = 0
	case DebtMove:
		o.route = Elsewhere
	}
}

// Next returns the debt to be paid next, of those that the peer can hear.
func (o *Debts) Next(h Hearing) (Debt, bool) {
	switch {
	case h == HearsNothing:
		return 0, false
	case h == HearsAll:
		return Debt(bits.TrailingZeros16(o.owed)), o.owed != 0
	case o.Owes(DebtAck):
		return DebtAck, true
	case h == HearsAcks:
		return 0, false
	case o.Owes(DebtCredit):
		return DebtCredit, true
	}
	return DebtBye, o.Owes(DebtBye)
}

// A Payment is a debt that is about to be told the peer, with what there is to it.
type Payment struct {
	Debt   Debt
	Serial uint64 // under which it will be acknowledged; 0 if it is not to be
	About  uint64 // of an acknowledgement, a refusal or a withdrawal: the transfer that it is about
	Why    Fate   // of a refusal
	Halves Halves // of a shutdown
	Route  Route  // of a move
	Reset  bool   // of a goodbye: something was left unread
	Moved  bool   // of a hello: this side's end has moved

	transfer *Transfer
}

// Pay books that d is told the peer, and in out that it will be acknowledged, if somebody has asked
// for that. With deaf, nobody is there who could, so it is not asked for: but of a move, which was
// announced to somebody. The caller writes the packet, and calls Paid or Unpay.
func (o *Debts) Pay(d Debt, out *Outbox, deaf bool) Payment {
	p := Payment{Debt: d, Halves: o.half, Route: o.route, Reset: o.reset, Moved: o.moved, Why: o.about.why}
	switch d {
	case DebtAck:
		p.About = o.ack
	case DebtRefuse:
		p.About = o.about.refused
	case DebtCancel:
		p.About = o.about.cancelled
	}
	if t := o.done[d]; t != nil && (d == DebtMove || !deaf) {
		p.transfer, p.Serial = t, out.NextSerial()
		out.Track(t, nil)
	}
	o.owed &^= 1 << d
	return p
}

// Paid notes that p has been written.
func (o *Debts) Paid(p Payment) { o.forget(p.Debt) }

// Unpay notes that p could not be written: it is owed again.
func (o *Debts) Unpay(p Payment, out *Outbox) {
	o.Owe(p.Debt)
	if p.transfer != nil {
		out.Untrack(p.transfer)
	}
}
