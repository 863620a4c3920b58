package endpoint

import (
	"errors"
	"net"
	"os"
	"sync"

	"afunix/internal/cred"
	"afunix/internal/move"
	"afunix/internal/sock"
	"afunix/internal/wire"
)

// incoming is the receiving half of a datagram socket: one queue across all of the links on which
// datagrams come. It shares the lock of the socket.
type incoming struct {
	s *PacketConn

	cond     sync.Cond // for readers
	deadline deadline  // for readers
	mail     sock.Mailbox[*link]
	buffer   int // SO_RCVBUF

	// What is to be done once the lock is free: see unlock.
	debtors   []*link       // links that owe their peer something
	discarded []sock.Rights // descriptors of datagrams that nobody will read
	arrived   []move.End    // ends that have come with datagrams, and begin to live
	arriving  int           // how many ends do not live yet, so that nobody reads their datagrams
}

// unlock does what has become necessary since mu was locked, and unlocks it. What is to be said on
// the links is noted first, since two of us must not note it in the wrong order: who closes the
// socket then may not overtake an acknowledgement. It is said once mu is free; descriptors that
// have been discarded are closed, and ends begin to live that have come with datagrams.
func (in *incoming) unlock() {
	in.carryOutLocked()
	var room [4]*link
	debtors := append(room[:0], in.debtors...)
	clear(in.debtors)
	in.debtors = in.debtors[:0]
	discarded, arrived := in.discarded, in.arrived
	in.discarded, in.arrived = nil, nil
	in.s.mu.Unlock()
	for _, l := range debtors {
		l.pen.pay()
	}
	closeAll(discarded)
	in.startAll(arrived)
}

// startAll makes ends live that have come with datagrams.
func (in *incoming) startAll(ends []move.End) {
	if len(ends) == 0 {
		return
	}
	move.StartAll(ends)
	in.s.mu.Lock()
	defer in.s.mu.Unlock()
	in.arriving -= len(ends)
	in.cond.Broadcast()
}

// oweLocked notes what a link is to tell its peer. unlock pays.
func (in *incoming) oweLocked(l *link, note func(*owed)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note(&l.pen.owed)
	in.debtors = append(in.debtors, l)
}

// creditLocked has a link tell its peer what it may send, if that is worth a packet.
// unlock pays.
func (in *incoming) creditLocked(l *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pen.oweCreditLocked() {
		in.debtors = append(in.debtors, l)
	}
}

// serve takes in links.
func (in *incoming) serve(d *door[*link]) {
	for {
		l, err := d.take()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors: the listener tries again by itself
			continue
		}
		l.accepted()
		if !in.attach(l) {
			l.Close()
		}
		d.handed()
	}
}

// attach reports whether a link is of any use.
func (in *incoming) attach(l *link) bool {
	in.s.mu.Lock()
	defer in.s.mu.Unlock()
	if !in.mail.Useful(&l.mail) {
		return false
	}
	in.mail.Attach(&l.mail)
	return true
}

// permits says whether the socket with this number, of the process who, may send here. Whoever
// finds too many senders is told EAGAIN, as if the queue were full.
func (in *incoming) permits(id uint64, who cred.Credentials) wire.Status {
	s := in.s
	in.recognize(id, who)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case in.mail.Bars(in.isPeerLocked(id, who)):
		return wire.NotPermitted
	case in.mail.Crowded(s.door.waiting()):
		return wire.Full
	}
	return wire.OK
}

// isPeerLocked reports whether the socket with this number, of the process who, is the one that
// this one is connected to. The numbers are no secrets: each socket tells its own to whoever sends
// to it.
func (in *incoming) isPeerLocked(id uint64, who cred.Credentials) bool {
	s := in.s
	return s.peer != nil && s.peerID == id && sameProcess(who, s.peer.current())
}

// recognize looks whether the peer of s has moved to the process who, which says that it has it.
func (in *incoming) recognize(id uint64, who cred.Credentials) {
	s := in.s
	s.mu.Lock()
	peer := s.peer
	strange := s.peerID == id && !in.isPeerLocked(id, who)
	s.mu.Unlock()
	if strange && peer != nil {
		peer.turn.catchUp()
	}
}

// own reports whether the socket with this number, of the process who, is this very one.
func (in *incoming) own(id uint64, who cred.Credentials) bool {
	return id == in.s.id && sameProcess(who, cred.Self())
}

// sameProcess reports whether a and b may be the same process: on Windows its number is not always
// known.
func sameProcess(a, b cred.Credentials) bool {
	return a.UID == b.UID && a.SID == b.SID && (a.PID == b.PID || a.PID == 0 || b.PID == 0)
}

// receive waits for a datagram and takes or copies it. It returns the link that it came on, too.
func (in *incoming) receive(b []byte, peek bool) (*link, sock.Result, error) {
	in.s.mu.Lock()
	defer in.unlock()
	for !in.mail.Ready() || in.deadline.expired || in.arriving > 0 {
		switch {
		case in.mail.Closed():
			return nil, sock.Result{}, net.ErrClosed
		case in.deadline.expired:
			return nil, sock.Result{}, os.ErrDeadlineExceeded
		}
		in.cond.Wait()
	}
	l := in.mail.First().Conn
	l.mu.Lock()
	if peek {
		r := duplicated(l.in.box.Peek(b))
		l.mu.Unlock()
		in.cond.Signal() // whoever waits may have it
		return l, r, nil
	}
	r := l.in.box.Read(b)
	l.mu.Unlock()
	in.creditLocked(l)
	in.mail.Took()
	return l, r, nil
}

// sender returns what the socket at the other end of l is called now, if it has a name: recvmsg(2)
// looks when it is called.
func (in *incoming) sender(l *link) *net.UnixAddr {
	in.s.mu.Lock()
	defer in.s.mu.Unlock()
	name := l.mail.Sender()
	if name == "" {
		return nil
	}
	return address(sock.Datagram, name)
}

// credentials returns those that a datagram carries that came on l, if anybody wants them.
func (in *incoming) credentials(l *link, writer uint32) *cred.Credentials {
	s := in.s
	s.mu.Lock()
	pass := s.pass
	s.mu.Unlock()
	if !pass {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.writer(writer)
}

// deliver takes in a datagram, or a piece of one, that has come on l, and the ends with its first
// piece.
func (in *incoming) deliver(l *link, seg sock.Segment, ends []move.End) error {
	who := l.current()
	in.recognize(l.peer.id, who)
	in.s.mu.Lock()
	defer in.unlock()
	l.mu.Lock()
	if in.s.pass {
		seg.Creds = l.peer.now()
	}
	whole, err := l.in.box.Put(seg)
	in.discarded = append(in.discarded, l.in.box.Discarded()...)
	l.mu.Unlock()
	if len(ends) > 0 {
		l.ends = ends
	}
	if err != nil || !whole {
		return err
	}
	offer := sock.Offer{Serial: l.mail.Offering(), Peer: in.isPeerLocked(l.peer.id, who), Own: in.own(l.peer.id, who), Ends: len(l.ends) > 0}
	if err := in.mail.Offer(&l.mail, offer); err != nil {
		return err
	}
	l.offered, l.ends = l.ends, nil
	return nil
}

// carryOutLocked does what the mailbox wants.
func (in *incoming) carryOutLocked() {
	effects := in.mail.Effects()
	for i := range effects {
		e := &effects[i]
		l := e.Link.Conn
		switch e.Do {
		case sock.Acknowledge:
			in.oweLocked(l, func(owed *owed) { owed.Acknowledge(e.Serial) })
			in.arrived, in.arriving = append(in.arrived, l.offered...), in.arriving+len(l.offered)
			l.offered = nil
			in.cond.Signal()
		case sock.Refuse:
			in.discardLocked(l, func(box *sock.Inbox) { box.Keep(e.Records) })
			l.offered = nil
			in.oweLocked(l, func(owed *owed) { owed.Refuse(e.Serial, e.Fate) })
			in.creditLocked(l)
		case sock.Purge:
			in.discardLocked(l, func(box *sock.Inbox) { box.Skip(e.Records) })
			in.creditLocked(l)
		case sock.Drop:
			go l.Close() // we may be the link's reader
		}
	}
	clear(effects) // a link that has been closed is not kept
}

// discardLocked discards datagrams of l. Their descriptors are closed by unlock.
func (in *incoming) discardLocked(l *link, records func(*sock.Inbox)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records(l.in.box)
	in.discarded = append(in.discarded, l.in.box.Discarded()...)
}

// withdraw takes in that the sender of a datagram does not wait for it any longer.
func (in *incoming) withdraw(l *link, serial uint64) {
	in.s.mu.Lock()
	defer in.unlock()
	in.mail.Withdraw(&l.mail, serial)
}

// lost notes that nothing more comes on l.
func (in *incoming) lost(l *link) {
	in.s.mu.Lock()
	defer in.unlock()
	in.mail.End(&l.mail)
}
