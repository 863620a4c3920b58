package endpoint

import (
	"errors"
	"syscall"

	"afunix/internal/sock"
	"afunix/internal/wire"
)

// A pen writes to the pipe of a session: whatever is written goes through writeLocked, by the
// goroutine of whoever has something to say. Nobody ever waits inside a write to the pipe: when the
// pipe is full, the flusher, a goroutine of its own, lives until the pipe has room again. Nobody
// else changes these fields.
//
// What holds whenever mu is free: who has set hold to writing takes it back; until then nobody else
// changes hold, head, what there is to a debt (all of owed but its bits, acknowledgements, refusals
// and credit), or ends transfers but by the peer's acknowledgement. The flusher lives while the pen
// is blocked; severed is for ever, and then out.box is Gone. What is owed is paid by
// whoever notes it, or by whoever has the pen: while that is free, something is owed only if the
// peer cannot hear it (out.moves.Hears).
type pen struct {
	c *session

	hold     hold
	queuing  int  // how many wait for it to be free
	yielding bool // … and a Write, which comes after them
	parting  parting
	owed     owed
	head     []byte // where the head of a packet is put together
	packets  uint64 // sent so far
}

// A hold says whether the pen can write.
type hold uint8

const (
	idle    hold = iota
	writing      // somebody is writing a packet, without mu
	blocked      // the pipe is full: the flusher waits for room
	severed      // the pipe takes nothing any more
)

// A parting says whether the peer hears that this end is closed.
type parting uint8

const (
	together parting = iota
	bidding          // the goodbye is owed, or has been said
	unsaid           // there was no room for the goodbye, and it is not said any more
)

// severed reports whether the pipe takes nothing any more.
func (p *pen) severed() bool { return p.hold == severed }

// idle reports whether whoever has something to say can write it.
func (p *pen) idle() bool { return p.hold == idle }

// blocked reports whether the pipe is full.
func (p *pen) blocked() bool { return p.hold == blocked }

// writing reports whether somebody is writing.
func (p *pen) writing() bool { return p.hold == writing }

// lock locks mu when nobody is writing. So what is under way, what is owed but for acknowledgements
// and credit, and whether anything can be written at all, do not change while a packet is on its
// way into the pipe.
func (p *pen) lock() {
	p.c.mu.Lock()
	p.awaitLocked()
}

// awaitLocked waits until nobody is writing. That is brief, since nobody waits inside a write.
func (p *pen) awaitLocked() {
	if p.hold != writing {
		return
	}
	p.queuing++
	for p.hold == writing {
		p.c.out.cond.Wait()
	}
	if p.queuing--; p.yielding {
		p.c.out.cond.Broadcast()
	}
}

// taken reports whether somebody has the pen, or waits for it.
func (p *pen) taken() bool { return p.hold == writing || p.queuing > 0 }

// yieldLocked makes the one Write wait for the pen, and for everybody else who does: whoever writes
// much takes it again and again.
func (p *pen) yieldLocked() {
	p.yielding = true
	for p.taken() {
		p.c.out.cond.Wait()
	}
	p.yielding = false
}

// writeLocked puts a packet into the pipe. The pen is free; the caller has it until this returns.
// mu is released meanwhile, so that nobody waits for a system call. Whatever can happen to the
// packet has been booked before. EAGAIN: the pipe is full, and a flusher has been started; EPIPE:
// the pen is severed; another error is that of the descriptors of m.
func (p *pen) writeLocked(packet *wire.Packet, m *message) error {
	c := p.c
	if p.severed() {
		return syscall.EPIPE
	}
	p.hold = writing
	c.mu.Unlock()
	bad := m.seal(packet)
	var err error
	if bad == nil {
		err = p.transmit(packet)
	}
	c.mu.Lock()
	p.hold = idle
	c.turn.wakeMoverLocked()
	if p.queuing > 0 || p.yielding || c.closed {
		c.out.cond.Broadcast()
	}
	switch {
	case bad != nil:
		return bad
	case err == nil:
		p.packets++
		return nil
	case errors.Is(err, syscall.EAGAIN):
		p.hold = blocked
		go p.flush()
		return syscall.EAGAIN
	}
	p.loseLocked()
	return syscall.EPIPE
}

// transmit writes a packet. Whoever has the pen has the buffer.
func (p *pen) transmit(packet *wire.Packet) error {
	head := packet.AppendHead(p.head[:0])
	err := p.c.pipe.Write(head, packet.Payload)
	if cap(head) > keepHead {
		head = nil
	}
	p.head = head
	return err
}

// keepHead bounds what an idle connection keeps for the head of its next packet.
const keepHead = 256

// flush is the flusher: it waits until the pipe has room, pays what is owed, and lets the writers
// go on.
func (p *pen) flush() {
	err := p.c.pipe.WaitWritable()
	p.lock()
	defer p.c.mu.Unlock()
	if p.hold == blocked {
		p.hold = idle
	}
	if err != nil {
		p.loseLocked()
	}
	p.payLocked()
	p.c.wakeWritesLocked()
}

// loseLocked ends sending because the pipe takes nothing any more. What the other end has said
// before is in the pipe still, and decides about what is unacknowledged: see ended and peerClosed.
func (p *pen) loseLocked() {
	p.c.out.box.Lose()
	p.severLocked()
}

// severLocked ends writing. It wakes whoever waits to send, or to be acknowledged.
func (p *pen) severLocked() {
	p.hold = severed
	p.c.out.cond.Broadcast()
	p.c.out.nudgeGuests()
}

// payLocked writes what is owed, as far as the pipe has room, and reports whether mu was released
// for that. If somebody is writing it is left to him: whoever has had the pen calls this.
func (p *pen) payLocked() (released bool) {
	for p.hold == idle {
		d, ok := p.owed.Next(p.c.moves.Hears())
		if !ok {
			break
		}
		released = true
		if err := p.payOneLocked(d); err != nil {
			break // blocked: the flusher comes back to it; severed: nobody is left to be told
		}
	}
	return released
}

func (p *pen) payOneLocked(d sock.Debt) error {
	c := p.c
	pay := p.owed.Pay(d, c.out.box, c.moves.Abroad())
	packet := c.owedPacketLocked(pay)
	err := p.writeLocked(&packet, nil)
	if err != nil {
		p.owed.Unpay(pay, c.out.box)
		return err
	}
	p.owed.Paid(pay)
	return nil
}

// pay is payLocked.
func (p *pen) pay() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.payLocked()
}

// partLocked notes that the peer is to be told that this end is closed, unless that is so already.
func (p *pen) partLocked(reset bool) {
	if p.parting == together {
		p.parting = bidding
		p.owed.OweBye(reset)
	}
}

// saidGoodbyeLocked reports whether the peer has been told that this end is closed. Then what the
// peer has sent, and not had acknowledged, is its own to take back. The pen is free.
func (p *pen) saidGoodbyeLocked() bool { return p.parting == bidding && !p.owed.Owes(sock.DebtBye) }

// keepGoodbyeLocked makes a goodbye that is owed unsaid, and reports whether there was one.
func (p *pen) keepGoodbyeLocked() bool {
	if p.parting != bidding || p.saidGoodbyeLocked() {
		return false
	}
	p.parting = unsaid
	p.owed.Strike(sock.DebtBye)
	return true
}

// tryGoodbyeLocked says a goodbye that has been kept, if the peer can hear it now. Nobody says it
// later.
func (p *pen) tryGoodbyeLocked() {
	p.parting = bidding
	p.owed.Owe(sock.DebtBye)
	p.payLocked()
	p.keepGoodbyeLocked()
}

// acknowledge tells the peer that its transfers up to serial are done, and reports whether the peer
// has been told already.
func (p *pen) acknowledge(serial uint64) (told bool) {
	p.lock()
	defer p.c.mu.Unlock()
	p.acknowledgeLocked(serial)
	return p.owed.Acknowledged()
}

// acknowledgeLocked tells the peer that its transfers up to serial are done.
func (p *pen) acknowledgeLocked(serial uint64) {
	p.owed.Acknowledge(serial)
	p.payLocked()
}

// acknowledged reports whether the peer has been told meanwhile: a flusher may have come to it.
func (p *pen) acknowledged() bool {
	p.lock()
	defer p.c.mu.Unlock()
	return p.owed.Acknowledged()
}

// creditWhatIsDue tells the peer what it may send, if that is worth a packet.
func (p *pen) creditWhatIsDue() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.creditWhatIsDueLocked()
}

func (p *pen) creditWhatIsDueLocked() {
	if p.oweCreditLocked() {
		p.payLocked()
	}
}

// oweCreditLocked notes that the peer is to be told what it may send, if that is worth a packet.
func (p *pen) oweCreditLocked() bool {
	_, due := p.c.in.box.CreditDue()
	if due {
		p.owed.Owe(sock.DebtCredit)
	}
	return due
}
