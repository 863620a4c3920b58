package sock_test

import (
	"slices"

	"afunix/internal/sock"
)

// receive reads a letter.
func (p *post) receive() {
	if ready := len(p.queue) > 0 && !p.closed && !p.moving; p.mail.Ready() != ready {
		p.Fatalf("ready is %t with %d letters", !ready, len(p.queue))
	} else if !ready {
		return
	}
	x := p.queue[0]
	r := p.mail.First().Conn
	if r != x.route {
		p.Fatalf("the oldest letter is another one")
	}
	got := r.in.Read(room[:100])
	if d, _ := got.Rights.(*descs); d != x.descs || p.honest && got.N != 10*len(x.bufs) {
		p.Fatalf("%d bytes of %d, with other descriptors", got.N, 10*len(x.bufs))
	}
	if x.descs != nil {
		x.descs.Discard()
	}
	x.state = taken
	p.queue = p.queue[1:]
	p.mail.Took()
	p.carryOut()
	if c, due := r.in.CreditDue(); due && r.dropped == 0 {
		r.back = append(r.back, tidings{credit: &c})
	}
}

// connect makes the socket one that is connected, or that has lost its peer.
func (p *post) connect() {
	if !p.connected {
		p.mail.SetPeer(sock.Connected)
		p.connected = true
		return
	}
	p.connected = false
	if o := p.mail.Part(); o != sock.Left {
		p.Fatalf("whoever finds out that the peer is gone is told %d", o)
	}
	if o := p.mail.Part(); o != sock.Alone {
		p.Fatalf("whoever comes then is told %d", o)
	}
	before := slices.Clone(p.queue)
	p.carryOut()
	for _, x := range before {
		if x.state != purged && !p.closed {
			p.Fatalf("a letter was not purged")
		}
	}
}

// move begins to move the socket, which stays after all or is made anew elsewhere.
func (p *post) move() {
	if p.closed {
		return
	}
	if !p.moving {
		p.moving = true
		p.mail.Move()
		p.carryOut()
		return
	}
	p.moving = false
	own := slices.ContainsFunc(p.letters, func(x *letter) bool { return x.state == held && x.route.own })
	if p.pick(2) == 0 || own { // a socket that is sending does not move
		p.mail.Stay()
		return
	}
	p.anew()
}

// anew makes the mailbox anew, in another process.
func (p *post) anew() {
	var links []*sock.Link[*route]
	for _, r := range p.routes {
		if p.attach(r); r.link.Attached() {
			links = append(links, &r.link)
		}
	}
	mail, order := p.mail.Look(links)
	states := make([]sock.LinkState, len(links))
	for i, l := range links {
		states[i] = l.Look()
	}
	p.mail.Leave()
	if p.mail.Ready() || !p.mail.Closed() {
		p.Fatalf("it has moved, and is here still")
	}
	p.mail = new(sock.Mailbox[*route])
	for i, l := range links {
		*l = sock.Link[*route]{Conn: l.Conn}
		l.Restore(states[i])
		p.mail.Attach(l)
		p.refill(l.Conn)
	}
	if err := p.mail.Restore(mail, links, order, func(r *route) int { return r.in.Records() }); err != nil {
		p.Fatalf("%v", err)
	}
	for _, x := range p.letters {
		x.ends = x.ends && x.state != held // they live whatever becomes of their letter
	}
}

// refill makes the Inbox of r anew.
func (p *post) refill(r *route) {
	state, segments := r.in.Look()
	in, err := sock.RestoreInbox(sock.Datagram, state, unpacked(segments))
	if err != nil {
		p.Fatalf("%v", err)
	}
	r.in = in
	r.back = append(r.back, tidings{hello: in.Granted()})
}

// close closes the socket.
func (p *post) closeIt() {
	if !p.closed {
		p.closed = true
		p.mail.Close()
		return
	}
	p.empty()
}

func (p *post) empty() {
	tell := p.pick(2) == 0
	links := p.mail.Empty(tell)
	p.carryOut()
	for _, l := range links {
		if l.Attached() {
			p.Fatalf("a link of no socket")
		}
		p.shut(l.Conn)
	}
	for _, x := range p.queue {
		x.state = purged
	}
	p.queue = nil
}

// step is one thing that happens.
func (p *post) step() {
	r := p.some()
	switch n := p.pick(32); {
	case n < 4 || r == nil:
		p.open()
	case n < 10:
		p.send(r)
	case n < 16:
		p.deliver(r)
	case n < 20:
		p.hear(r)
	case n < 24 && p.slow && p.pick(8) > 0:
	case n < 24:
		p.receive()
	case n < 25:
		p.cancel(r)
	case n < 26:
		p.end(r)
	case n < 27:
		p.connect()
	case n < 28:
		p.attach(r)
	case n < 30:
		p.move()
	case p.pick(4) > 0: // seldom
	case n < 31:
		p.deaf = true
		p.mail.Shut()
	default:
		p.closeIt()
	}
	p.check()
}
