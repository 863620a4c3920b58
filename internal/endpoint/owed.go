package endpoint

import (
	"math/bits"
	"time"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// owed is what the transport itself has to tell the peer (S6). It is state rather than a queue: what is said later includes
// what was to be said before, so it needs no bound. It is paid before any data.
type owed struct {
	debts  uint16 // a bit for each debt
	ack    uint64
	credit sock.Credit // of now: see Conn.payLocked
	window uint32
	pass   bool
	name   []byte // that the socket has chosen
	shut   uint8  // wire.ShutRead, wire.ShutWrite
	reset  bool   // with bye

	hello uint8  // flags of the hello that an end that moves makes necessary
	proof []byte // … and by what the other side finds this process
	able  pipe.Ability
	move  uint8 // wire.Itself, wire.Gone

	refused uint64 // datagrams up to this serial, and why
	why     uint8
	cancel  uint64 // the datagram that is not to be waited for

	// What waits for the acknowledgement of the options, of the shutdown, and of the move.
	optionsDone, shutDone, moveDone *sock.Transfer

	payload [16]byte // of the packet that is being written
}

// A debt is one thing to be told. Those with lower numbers are told first.
type debt uint8

const (
	debtHello debt = iota
	debtReady
	debtAck
	debtRefuse
	debtCancel
	debtCredit
	debtOptions
	debtShutdown
	debtMove
	debtBye
)

func (o *owed) note(d debt) { o.debts |= 1 << d }

// acknowledge notes that the peer's transfers up to serial are done. A later one may have been before: a Move is acknowledged late that came
// while a message was loaded, and came to nothing meanwhile.
func (o *owed) acknowledge(serial uint64) {
	if serial > o.ack {
		o.ack = serial
		o.note(debtAck)
	}
}

// refuse notes that the peer's datagrams up to serial have not been queued.
func (o *owed) refuse(serial uint64, why uint8) {
	o.refused, o.why = serial, why
	o.note(debtRefuse)
}

func (o *owed) drop(d debt)     { o.debts &^= 1 << d }
func (o *owed) has(d debt) bool { return o.debts&(1<<d) != 0 }

// first returns the debt to be paid next.
func (o *owed) first() (debt, bool) {
	return debt(bits.TrailingZeros16(o.debts)), o.debts != 0
}

// packet returns the packet for d, and what is to be tracked if it wants an acknowledgement. A hello says more than what is owed: see
// Conn.payLocked.
func (o *owed) packet(d debt) (wire.Packet, *sock.Transfer) {
	switch d {
	case debtReady:
		return wire.Packet{Type: wire.Ready, Payload: append(o.payload[:0], byte(o.able))}, nil
	case debtMove:
		return wire.Packet{Type: wire.Move, Flags: o.move}, o.moveDone
	case debtAck:
		return wire.Packet{Type: wire.Ack, Serial: o.ack}, nil
	case debtRefuse:
		return wire.Packet{Type: wire.Refuse, Flags: o.why, Serial: o.refused}, nil
	case debtCancel:
		return wire.Packet{Type: wire.Cancel, Serial: o.cancel}, nil
	case debtCredit:
		body := wire.CreditBody{Consumed: o.credit.Consumed, Rights: o.credit.Rights}
		return wire.Packet{Type: wire.Credit, Payload: body.Append(o.payload[:0])}, nil
	case debtOptions:
		p := wire.Packet{Type: wire.Options, Name: o.name, Payload: wire.AppendOptions(o.payload[:0], o.window)}
		if o.pass {
			p.Flags = wire.PassCredentials
		}
		return p, o.optionsDone
	case debtShutdown:
		return wire.Packet{Type: wire.Shutdown, Flags: o.shut}, o.shutDone
	}
	p := wire.Packet{Type: wire.Bye}
	if o.reset {
		p.Flags = wire.Reset
	}
	return p, nil
}

// strike notes that d is not owed any more.
func (o *owed) strike(d debt) {
	o.drop(d)
	o.settle(d)
}

// settle forgets what there was to d, which has been paid.
func (o *owed) settle(d debt) {
	switch d {
	case debtOptions:
		o.optionsDone = nil
	case debtShutdown:
		o.shutDone, o.shut = nil, 0
	case debtMove:
		o.moveDone, o.move = nil, 0
	case debtHello:
		o.hello, o.proof = 0, nil
	}
}

// next returns the debt to be paid next, of those that the peer can hear now. While it moves over this connection it hears acknowledgements;
// and as long as its end has not come, the credit that it may need for that, and that there is nobody to take it.
func (o *outbox) next() (debt, bool) {
	switch {
	case !o.shift.held:
		return o.owed.first()
	case o.owed.has(debtAck):
		return debtAck, true
	case o.shift.taken:
		return 0, false
	case o.owed.has(debtCredit):
		return debtCredit, true
	}
	return debtBye, o.owed.has(debtBye)
}

// payLocked writes what is owed, as far as the pipe has room, and reports whether mu was released for that. If somebody is writing it is
// left to him: whoever has had the pen calls this. A debt is dropped before it is written, since it may be owed again when the writer is
// back; what else there is to it stays until then, and is changed by nobody who has not waited for the pen.
func (c *Conn) payLocked() (released bool) {
	o := &c.out
	for !o.pen && !o.full && !o.severed && !o.shift.detached {
		d, ok := o.next()
		if !ok {
			break
		}
		released = true
		if err := c.payOneLocked(d); err != nil {
			break // full: the flusher comes back to it; severed: nobody is left to be told
		}
	}
	return released
}

func (c *Conn) payOneLocked(d debt) error {
	o := &c.out
	if d == debtCredit {
		o.owed.credit = c.in.box.Reported() // of now: a hello may have said more than when it was noted
	}
	p, t := o.owed.packet(d)
	switch {
	case d == debtHello:
		p = *c.rehelloPacketLocked()
	case d != debtMove && o.shift.abroad():
		t = nil // this end may have moved itself when it comes to be acknowledged
	}
	if t != nil {
		p.Serial = o.box.NextSerial()
		o.box.Track(t, nil)
	}
	o.owed.drop(d)
	err := c.writeLocked(&p, nil)
	if err != nil {
		o.owed.note(d)
		if t != nil {
			o.box.Untrack(t)
		}
		return err
	}
	o.owed.settle(d)
	return nil
}

// acknowledge tells the peer that its transfers up to serial are done, and reports whether it has been told already.
func (c *Conn) acknowledge(serial uint64) (told bool) {
	c.lockToWrite()
	defer c.mu.Unlock()
	c.acknowledgeLocked(serial)
	return !c.out.owed.has(debtAck)
}

// acknowledgeLocked tells the peer that its transfers up to serial are done.
func (c *Conn) acknowledgeLocked(serial uint64) {
	c.out.owed.acknowledge(serial)
	c.payLocked()
}

// ackPaid reports whether it has been told meanwhile: a flusher may have come to it.
func (c *Conn) ackPaid() bool {
	c.lockToWrite()
	defer c.mu.Unlock()
	return !c.out.owed.has(debtAck)
}

// pay is payLocked.
func (c *Conn) pay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.payLocked()
}

// creditWhatIsDue tells the peer what it may send, if that is worth a packet.
func (c *Conn) creditWhatIsDue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.creditWhatIsDueLocked()
}

func (c *Conn) creditWhatIsDueLocked() {
	if c.oweCreditLocked() {
		c.payLocked()
	}
}

// oweCreditLocked notes that the peer is to be told what it may send, if that is worth a packet.
func (c *Conn) oweCreditLocked() bool {
	_, due := c.in.box.CreditDue()
	if due {
		c.out.owed.note(debtCredit)
	}
	return due
}

// patience bounds the wait for a peer that is suspended. It will see what it was told before anything that comes later.
const patience = time.Second

// A limit is passed after a while, and then wakes whoever waits for the sending half. It is guarded by Conn.mu.
type limit struct {
	passed bool
	timer  *time.Timer
}

// after returns a limit, which the caller stops.
func (c *Conn) after(d time.Duration) *limit {
	l := new(limit)
	l.timer = time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		l.passed = true
		c.wakeWritesLocked()
	})
	return l
}

func (l *limit) stop() { l.timer.Stop() }

// maxAbsence bounds the wait for whoever has the other end next. A child that inherits it may never
// be started.
const maxAbsence = 10 * time.Second

// An absence is a wait during which the other end may be in nobody's hands. It is guarded by Conn.mu.
type absence struct {
	c     *Conn
	limit *limit
}

// passed reports whether that has been so for too long. The wait is over then.
func (a *absence) passed() bool {
	switch {
	case !a.c.out.shift.abroad():
		a.end()
		return false
	case a.limit == nil:
		a.limit = a.c.after(maxAbsence)
	}
	return a.limit.passed
}

// end ends the wait.
func (a *absence) end() {
	if a.limit != nil {
		a.limit.stop()
		a.limit = nil
	}
}

// tellLocked pays a debt that the peer acknowledges, and waits for that: once we return, the peer
// goes by it, as on one machine's kernel. If the other end is in nobody's hands there is nothing to
// wait for: whoever comes takes in what has been said before he does anything else (see Taken). slot
// is where the debt keeps its transfer. The caller has called lockToWrite.
func (c *Conn) tellLocked(d debt, slot **sock.Transfer) {
	if c.out.box.Gone() {
		return // nobody is left to be told
	}
	if *slot == nil {
		*slot = new(sock.Transfer)
	}
	t := *slot
	c.out.owed.note(d)
	c.payLocked()
	late := c.after(patience)
	defer late.stop()
	w := wait{c: c}
	defer w.endLocked()
	for t.Fate == sock.Written && !late.passed && !c.closed && !c.out.severed && !c.out.shift.abroad() {
		w.moreLocked()
	}
}
