package sock_test

import (
	"slices"

	"afunix/internal/sock"
)

// carryOut does what the mailbox wants, as package endpoint does.
func (p *post) carryOut() {
	for _, e := range p.mail.Effects() {
		r := e.Link.Conn
		switch e.Do {
		case sock.Acknowledge:
			p.enqueue(p.heldOf(r, e.Serial))
			r.back = append(r.back, tidings{serial: e.Serial, fate: sock.Acknowledged})
		case sock.Refuse:
			p.refuse(r, e)
		case sock.Purge:
			r.in.Skip(e.Records)
			for range e.Records {
				p.purge(r)
			}
		case sock.Drop:
			p.shut(r)
		}
		closeDiscarded(r.in)
		if c, due := r.in.CreditDue(); due {
			r.back = append(r.back, tidings{credit: &c})
		}
	}
	if len(p.mail.Effects()) > 0 {
		p.Fatalf("what has been done is to be done again")
	}
}

// enqueue takes in that x has been queued, for which there has to be room. It is the one that has
// waited for the longest time.
func (p *post) enqueue(x *letter) {
	if !p.room(x) {
		p.Fatalf("one more letter was queued behind %d", len(p.queue))
	}
	if first := p.oldest(); first != x {
		p.Fatalf("letter %d was queued before letter %d", x.serial, first.serial)
	}
	x.state = queued
	p.queue = append(p.queue, x)
}

// room reports whether x may be queued: rows 48, 124, 126, and what has to go along with a socket
// that moves.
func (p *post) room(x *letter) bool {
	ends := slices.ContainsFunc(p.letters, func(x *letter) bool { return x.state == held && x.ends })
	return len(p.queue) < 11 || x.route.own || p.moving && ends
}

// oldest returns the letter that has been held for the longest time, or nil.
func (p *post) oldest() (first *letter) {
	for _, x := range p.letters {
		if x.state == held && (first == nil || x.arrived < first.arrived) {
			first = x
		}
	}
	return first
}

func (p *post) refuse(r *route, e sock.Effect[*route]) {
	x := p.heldOf(r, e.Serial)
	x.state = refused
	n := 0
	for _, y := range p.queue {
		if y.route == r {
			n++
		}
	}
	if e.Records != n {
		p.Fatalf("%d of %d queued records are kept", e.Records, n)
	}
	r.in.Keep(e.Records)
	r.back = append(r.back, tidings{serial: e.Serial, fate: e.Fate})
}

// heldOf returns the letter of r with this number, which must be held.
func (p *post) heldOf(r *route, serial uint64) *letter {
	for _, x := range p.letters {
		if x.route == r && x.serial == serial && x.state == held {
			return x
		}
	}
	p.Fatalf("letter %d is not held", serial)
	return nil
}

// purge takes the oldest letter of r out of the queue.
func (p *post) purge(r *route) {
	i := slices.IndexFunc(p.queue, func(x *letter) bool { return x.route == r })
	if i < 0 {
		p.Fatalf("a letter was purged that was not queued")
	}
	p.queue[i].state = purged
	p.queue = slices.Delete(p.queue, i, i+1)
}

// check holds at every time.
func (p *post) check() {
	if x := p.oldest(); x != nil && p.room(x) && !p.closed {
		p.Fatalf("a letter waits, and %d are queued", len(p.queue))
	}
	for _, r := range p.routes {
		if r.dropped > 1 {
			p.Fatalf("a link was closed twice")
		}
		if r.dropped > 0 {
			continue
		}
		n := 0
		for _, x := range p.letters {
			if x.route == r && (x.state == queued || x.state == held) {
				n++
			}
		}
		if got := r.in.Records(); got != n && !r.broken && !p.closed {
			p.Fatalf("%d records of %d letters", got, n)
		}
	}
}

// settle lets everything arrive and be read. After that nobody waits, and nothing is left.
func (p *post) settle() {
	if p.moving {
		p.moving = false
		p.mail.Stay()
	}
	for range 2 + len(p.letters) {
		for _, r := range p.routes {
			p.attach(r)
			for len(r.way) > 0 && !r.broken {
				p.deliver(r)
			}
			for len(p.queue) > 0 && !p.closed {
				p.receive()
			}
			if p.closed {
				p.empty()
			}
			for len(r.back) > 0 {
				p.hear(r)
			}
		}
	}
	for _, x := range p.letters {
		if p.honest && !x.route.broken && x.transfer.Fate == sock.Written {
			p.Fatalf("a sender waits for ever, for letter %d in state %d", x.serial, x.state)
		}
	}
	p.mail.Close()
	p.empty()
	p.balance()
}

// balance fails unless each buffer was released once, and the descriptors of each letter that has
// come were given away or closed once.
func (p *post) balance() {
	for _, r := range p.routes {
		if r.dropped == 0 {
			p.Fatalf("a link was not closed")
		}
	}
	for _, x := range p.letters {
		for _, b := range x.bufs {
			if b.released != 1 {
				p.Fatalf("a buffer was released %d times", b.released)
			}
		}
		if x.descs != nil && x.came && x.descs.closed != 1 {
			p.Fatalf("descriptors were given %d times", x.descs.closed)
		}
	}
}
