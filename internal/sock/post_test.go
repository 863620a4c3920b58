package sock_test

import (
	"afunix/internal/sock"
)

// dice decide what happens: a script of bytes, or package rapid.
type dice interface {
	pick(n int) int // from 0 to n-1
}

func (s *script) pick(n int) int { return int(s.byte()) % n }

// A judge is told what is wrong.
type judge interface {
	Helper()
	Fatalf(format string, args ...any)
}

// A post is a datagram socket, those that send to it over links, and what is on the way between
// them. Beside it stands what must be so: what has become of each letter, and in what order letters
// are read.
type post struct {
	dice
	judge
	mail   *sock.Mailbox[*route]
	routes []*route
	letters,
	queue []*letter // all of them; and those that can be read, oldest first
	connected, deaf, closed, moving bool
	honest                          bool // senders keep to the rules
	slow                            bool // it is seldom that somebody reads
	clock                           int
}

// A route is a link, with both of its ends.
type route struct {
	link      sock.Link[*route]
	out       *sock.Outbox
	in        *sock.Inbox
	way       []posted  // to the mailbox
	back      []tidings // to the sender
	peer, own bool
	late      bool // it was attached after datagrams had come
	broken    bool // the peer has done something wrong: nothing comes any more
	over      bool // nothing is sent any more
	dropped   int
	last      *letter
}

// A letter is a datagram.
type letter struct {
	route    *route
	serial   uint64
	transfer sock.Transfer
	descs    *descs
	ends     bool
	bufs     []*buffer

	arrived   int   // when it was whole; 0: it is not
	came      bool  // … or its first piece at least
	state     state // as the mailbox has it
	cancelled bool
}

type state int

const (
	underway state = iota
	held
	queued
	taken
	refused
	purged
)

// A posted is a packet: a piece of a letter, that nobody waits for one, or the end.
type posted struct {
	*letter
	more, continued bool
	cancel          uint64
	end             bool
}

// tidings are an answer, credit, the hello of a socket that has moved, or the end.
type tidings struct {
	serial uint64
	fate   sock.Fate
	credit *sock.Credit
	hello  uint64
	bye    bool
}

func newPost(d dice, j judge, honest bool) *post {
	return &post{dice: d, judge: j, mail: new(sock.Mailbox[*route]), honest: honest, slow: d.pick(2) == 0}
}

// open opens a link, if the mailbox lets it.
func (p *post) open() {
	r := &route{out: sock.NewOutbox(sock.Datagram), in: sock.NewInbox(sock.Datagram, sock.RightsWindow)}
	r.peer, r.own = p.pick(3) == 0, p.pick(4) == 0
	r.link.Conn = r
	r.out.Grant(r.in.Granted())
	if bars := p.connected && !r.peer; p.mail.Bars(r.peer) != bars {
		p.Fatalf("barred is %t", !bars)
	}
	if p.mail.Crowded(0) || p.closed {
		return
	}
	p.routes = append(p.routes, r)
	if r.late = p.pick(3) == 0; !r.late {
		p.attach(r)
	}
}

// attach takes a link in, unless that is of no use any more.
func (p *post) attach(r *route) {
	switch {
	case r.dropped > 0 || r.link.Attached():
	case p.mail.Useful(&r.link):
		p.mail.Attach(&r.link)
	default:
		p.shut(r)
	}
	r.late = false
}

// shut closes a link.
func (p *post) shut(r *route) {
	r.dropped++
	r.broken = true
	r.in.Close()
	closeDiscarded(r.in)
	r.back = append(r.back, tidings{bye: true})
	for _, x := range p.letters {
		if x.route == r && (x.state == underway || x.state == held) {
			x.state = refused
		}
	}
}

// some returns one of the links, or nil.
func (p *post) some() *route {
	if len(p.routes) == 0 {
		return nil
	}
	return p.routes[p.pick(len(p.routes))]
}

// send begins a letter: an honest sender waits for what has become of the one before.
func (p *post) send(r *route) {
	if r.over || r.broken || p.honest && r.last != nil && r.last.transfer.Fate == sock.Written {
		return
	}
	x := &letter{route: r, serial: r.out.NextSerial()}
	if p.pick(3) == 0 {
		x.descs = &descs{n: 1 + p.pick(200)}
		x.ends = p.pick(2) == 0
	}
	if x.descs != nil && !r.out.Room(x.descs.n) || !r.out.Room(0) {
		return
	}
	r.out.Track(&x.transfer, nil)
	p.letters = append(p.letters, x)
	r.last = x
	for n := 1 + p.pick(3); n > 0; n-- {
		more := n > 1
		if !p.honest && p.pick(8) == 0 {
			more = !more
		}
		r.way = append(r.way, posted{letter: x, more: more, continued: len(r.way) > 0 && r.way[len(r.way)-1].letter == x})
		a := sock.Arrival{Bytes: 10, Continued: r.way[len(r.way)-1].continued}
		if x.descs != nil && !a.Continued {
			a.Rights = x.descs.n
		}
		r.out.Sent(a)
	}
}

// cancel is what a sender does whose deadline comes.
func (p *post) cancel(r *route) {
	if r.last == nil || r.over || r.last.transfer.Fate != sock.Written || r.last.cancelled {
		return
	}
	r.last.cancelled = true
	serial := r.last.serial
	if !p.honest {
		serial += uint64(p.pick(3))
	}
	r.way = append(r.way, posted{cancel: serial})
}

// end closes the other end of a link.
func (p *post) end(r *route) {
	if !r.over && !r.broken {
		r.over = true
		r.way = append(r.way, posted{end: true})
	}
}

// deliver lets the next packet of r arrive.
func (p *post) deliver(r *route) {
	if len(r.way) == 0 || r.broken {
		return
	}
	w := r.way[0]
	r.way = r.way[1:]
	switch {
	case w.end:
		r.broken = true
		p.mail.End(&r.link)
	case w.cancel != 0:
		p.mail.Withdraw(&r.link, w.cancel)
	default:
		p.piece(r, w)
	}
	p.carryOut()
}

// piece lets a piece of a letter arrive.
func (p *post) piece(r *route, w posted) {
	b := new(buffer)
	x := w.letter
	x.bufs = append(x.bufs, b)
	s := sock.Segment{Data: []byte("datagramme")[:10:10], Buffer: b, More: w.more, Continued: w.continued}
	a := sock.Arrival{Bytes: 10, Continued: w.continued}
	if x.descs != nil && !w.continued {
		s.Rights, a.Rights = x.descs, x.descs.n
	}
	x.came = true
	if p.wrong(r, r.in.Admit(a)) {
		b.Release()
		if s.Rights != nil {
			s.Rights.Discard()
		}
		return
	}
	whole, err := r.in.Put(s)
	closeDiscarded(r.in)
	if p.wrong(r, err) || !whole {
		return
	}
	was := x.state
	x.state = held
	p.clock++
	x.arrived = p.clock
	err = p.mail.Offer(&r.link, sock.Offer{Serial: x.serial, Peer: r.peer, Own: r.own, Ends: x.ends})
	if p.wrong(r, err) {
		x.state = was
	}
}

// wrong takes in that a peer has broken the rules, if err is that: the link ends.
func (p *post) wrong(r *route, err error) bool {
	if err == nil {
		return false
	}
	if p.honest {
		p.Fatalf("an honest sender was told: %v", err)
	}
	r.broken = true
	p.mail.End(&r.link)
	return true
}

// hear lets the next answer arrive.
func (p *post) hear(r *route) {
	if len(r.back) == 0 {
		return
	}
	n := r.back[0]
	r.back = r.back[1:]
	var err error
	switch {
	case n.bye:
		r.over = true
		r.out.Farewell()
	case n.credit != nil:
		err = r.out.Credit(*n.credit)
	case n.hello != 0:
		err = r.out.Raise(n.hello)
	case n.fate == sock.Acknowledged:
		err = r.out.Ack(n.serial)
	default:
		err = r.out.Refuse(n.serial, n.fate)
	}
	if err != nil && p.honest {
		p.Fatalf("an answer is wrong: %v", err)
	}
	for _, x := range p.letters {
		if x.route == r && x.transfer.Fate != sock.Written && p.honest {
			p.true(x)
		}
	}
}

// true fails unless what the sender of x believes is true.
func (p *post) true(x *letter) {
	arrived := x.state == queued || x.state == taken || x.state == purged
	if said := x.transfer.Fate == sock.Acknowledged; said != arrived {
		p.Fatalf("a sender was told %d of a letter in state %d", x.transfer.Fate, x.state)
	}
}
