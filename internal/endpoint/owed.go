package endpoint

import (
	"time"

	"afunix/internal/pipe"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// owed is what the transport itself has to tell the peer (S6), and what the packets are made of
// that tell it.
type owed struct {
	sock.Debts

	credit sock.Credit // of now: see Conn.payOneLocked
	window uint32
	pass   bool
	name   []byte       // that the socket has chosen
	proof  []byte       // with a hello: by what the other side finds this process
	able   pipe.Ability // with ready

	payload [16]byte // of the packet that is being written
}

// packet returns the packet for p. A hello says more than what is owed: see
// Conn.rehelloPacketLocked.
func (o *owed) packet(p sock.Payment) wire.Packet {
	switch p.Debt {
	case sock.DebtReady:
		return wire.Packet{Type: wire.Ready, Payload: append(o.payload[:0], byte(o.able))}
	case sock.DebtMove:
		return wire.Packet{Type: wire.Move, Flags: moveFlags[p.Route], Serial: p.Serial}
	case sock.DebtAck:
		return wire.Packet{Type: wire.Ack, Serial: p.About}
	case sock.DebtRefuse:
		return wire.Packet{Type: wire.Refuse, Flags: reason(p.Why), Serial: p.About}
	case sock.DebtCancel:
		return wire.Packet{Type: wire.Cancel, Serial: p.About}
	case sock.DebtCredit:
		body := wire.CreditBody{Consumed: o.credit.Consumed, Rights: o.credit.Rights}
		return wire.Packet{Type: wire.Credit, Payload: body.Append(o.payload[:0])}
	case sock.DebtOptions:
		return wire.Packet{Type: wire.Options, Flags: flag(o.pass, wire.PassCredentials), Serial: p.Serial,
			Name: o.name, Payload: wire.AppendOptions(o.payload[:0], o.window)}
	case sock.DebtShutdown:
		return wire.Packet{Type: wire.Shutdown, Flags: shutFlags(p.Halves), Serial: p.Serial}
	}
	return wire.Packet{Type: wire.Bye, Flags: flag(p.Reset, wire.Reset)}
}

// flag returns f if it is set.
func flag(set bool, f uint8) uint8 {
	if set {
		return f
	}
	return 0
}

var moveFlags = [...]uint8{sock.Elsewhere: 0, sock.Itself: wire.Itself, sock.LetGo: wire.Gone}

func shutFlags(h sock.Halves) uint8 {
	return flag(h&sock.ReadHalf != 0, wire.ShutRead) | flag(h&sock.WriteHalf != 0, wire.ShutWrite)
}

// payLocked writes what is owed, as far as the pipe has room, and reports whether mu was released
// for that. If somebody is writing it is left to him: whoever has had the pen calls this.
func (c *session) payLocked() (released bool) {
	o := &c.out
	for !o.pen && !o.full && !o.severed {
		d, ok := o.owed.Next(o.shift.Hears())
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

func (c *session) payOneLocked(d sock.Debt) error {
	o := &c.out
	if d == sock.DebtCredit {
		o.owed.credit = c.in.box.Reported() // of now: a hello may have said more than when it was noted
	}
	pay := o.owed.Pay(d, o.box, o.shift.Abroad())
	p := o.owed.packet(pay)
	if d == sock.DebtHello {
		p = c.rehelloPacketLocked(pay.Moved)
	}
	err := c.writeLocked(&p, nil)
	if err != nil {
		o.owed.Unpay(pay, o.box)
		return err
	}
	o.owed.Paid(pay)
	return nil
}

// acknowledge tells the peer that its transfers up to serial are done, and reports whether it has been told already.
func (c *session) acknowledge(serial uint64) (told bool) {
	c.lockToWrite()
	defer c.mu.Unlock()
	c.acknowledgeLocked(serial)
	return !c.out.owed.Owes(sock.DebtAck)
}

// acknowledgeLocked tells the peer that its transfers up to serial are done.
func (c *session) acknowledgeLocked(serial uint64) {
	c.out.owed.Acknowledge(serial)
	c.payLocked()
}

// ackPaid reports whether it has been told meanwhile: a flusher may have come to it.
func (c *session) ackPaid() bool {
	c.lockToWrite()
	defer c.mu.Unlock()
	return !c.out.owed.Owes(sock.DebtAck)
}

// pay is payLocked.
func (c *session) pay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.payLocked()
}

// creditWhatIsDue tells the peer what it may send, if that is worth a packet.
func (c *session) creditWhatIsDue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.creditWhatIsDueLocked()
}

func (c *session) creditWhatIsDueLocked() {
	if c.oweCreditLocked() {
		c.payLocked()
	}
}

// oweCreditLocked notes that the peer is to be told what it may send, if that is worth a packet.
func (c *session) oweCreditLocked() bool {
	_, due := c.in.box.CreditDue()
	if due {
		c.out.owed.Owe(sock.DebtCredit)
	}
	return due
}

// patience bounds the wait for a peer that is suspended. It will see what it was told before anything that comes later.
const patience = time.Second

// A limit is passed after a while, and then wakes whoever waits for the sending half. It is guarded
// by Conn.mu.
type limit struct {
	passed bool
	timer  *time.Timer
}

// after returns a limit, which the caller stops.
func (c *session) after(d time.Duration) *limit {
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

// An absence is a wait during which the other end may be in nobody's hands. It is guarded by
// Conn.mu.
type absence struct {
	c     *session
	limit *limit
}

// passed reports whether that has been so for too long. The wait is over then.
func (a *absence) passed() bool {
	switch {
	case !a.c.out.shift.Abroad():
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
// wait for: whoever comes takes in what has been said before he does anything else (see Taken). The
// caller has called lockToWrite, and notes what there is to the debt.
func (c *session) tellLocked(d sock.Debt) {
	if c.out.box.Gone() {
		return // nobody is left to be told
	}
	t := c.out.owed.Ask(d)
	c.out.owed.Owe(d)
	c.payLocked()
	late := c.after(patience)
	defer late.stop()
	w := wait{c: c}
	defer w.endLocked()
	for t.Fate == sock.Written && !late.passed && !c.closed && !c.out.severed && !c.out.shift.Abroad() {
		w.moreLocked()
	}
}
