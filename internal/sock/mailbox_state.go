package sock

import "fmt"

// This file is about a datagram socket that moves to another process (P8), with its links.

// A LinkState is a Link without its connection.
type LinkState struct {
	Over   bool
	Queued int
	Offers []uint64 // the serial number of the datagram that is held, if one is
}

// MaxOffers is how many datagrams of a link are held: its sender waits for what becomes of each.
const MaxOffers = 1

// Look returns what the Mailbox knows of l.
func (l *Link[C]) Look() LinkState {
	s := LinkState{Over: l.over, Queued: l.queued}
	if l.offered {
		s.Offers = []uint64{l.offer.Serial}
	}
	return s
}

// Restore gives a link of which nothing is known what Look has returned elsewhere. There are at
// most MaxOffers offers.
func (l *Link[C]) Restore(s LinkState) {
	l.over, l.queued = s.Over, s.Queued
	for _, serial := range s.Offers {
		l.offered, l.offer = true, Offer{Serial: serial}
	}
}

// An Order is that of the datagrams of a Mailbox. Each stands for its link, by the number of that.
type Order struct{ Queue, Held []uint32 }

// Look returns the order of the datagrams on these links.
func (m *Mailbox[C]) Look(links []*Link[C]) (o Order) {
	number := make(map[*Link[C]]uint32)
	for i, l := range links {
		number[l] = uint32(i)
	}
	for _, l := range m.queue {
		o.Queue = append(o.Queue, number[l])
	}
	for _, l := range m.held {
		o.Held = append(o.Held, number[l])
	}
	return o
}

// Restore lines up the datagrams of links, which have been restored. It believes nothing that is
// not true of the links that are attached, and of the records that the Inbox of each holds.
func (m *Mailbox[C]) Restore(links []*Link[C], o Order, records func(C) int) (err error) {
	if m.queue, err = lineUp(links, o.Queue); err != nil {
		return err
	}
	if m.held, err = lineUp(links, o.Held); err != nil {
		return err
	}
	queued, held := count(m.queue), count(m.held)
	for _, l := range links {
		offers := 0
		if l.offered {
			offers = 1
		}
		if n := records(l.Conn); l.queued != queued[l] || offers != held[l] || n != l.queued+offers {
			return fmt.Errorf("a link with %d datagrams, of which %d are queued and %d wait", n, l.queued, offers)
		}
	}
	return nil
}

// lineUp returns the links with these numbers.
func lineUp[C any](links []*Link[C], numbers []uint32) (line []*Link[C], err error) {
	for _, i := range numbers {
		if int64(i) >= int64(len(links)) || !links[i].attached {
			return nil, fmt.Errorf("a datagram of link %d", i)
		}
		line = append(line, links[i])
	}
	return line, nil
}

// count returns how often each link occurs.
func count[C any](line []*Link[C]) map[*Link[C]]int {
	n := make(map[*Link[C]]int)
	for _, l := range line {
		n[l]++
	}
	return n
}
