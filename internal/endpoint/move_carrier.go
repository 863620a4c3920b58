package endpoint

import (
	"slices"

	"afunix/internal/descriptor"
	"afunix/internal/move"
	"afunix/internal/rights"
)

// This file is about a connection that ends move over (P8): see move.Carrier.

// addEnd adds an end to m. It has not been touched, if there is an error.
func (o *outbox) addEnd(m *message, route rights.Route, end any) error {
	e, ok := end.(move.End)
	if !ok || o.c.world == nil {
		return descriptor.ErrNotSendable
	}
	if m.ends == nil {
		m.ends = move.New(o, m.Outgoing, func() *rights.Outgoing { return rights.NewOutgoing(o.c.table, o.c.pipe, route, 0) })
	}
	m.ends.Add(e)
	return nil
}

// carrierOf returns the connection that m goes over; nil if a child process inherits the end.
func carrierOf(m *move.Outgoing) *session {
	if o, ok := m.Carrier().(*outbox); ok {
		return o.c
	}
	return nil
}

// A guest is an end that moves over a connection.
type guest struct {
	in  *move.Outgoing
	end move.End
}

// Watch has e look around, from now on, when nothing may be sent any more.
func (o *outbox) Watch(m *move.Outgoing, e move.End) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.guests = append(o.guests, guest{m, e})
}

// Unwatch ends that for all ends of m.
func (o *outbox) Unwatch(m *move.Outgoing) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.guests = slices.DeleteFunc(o.guests, func(g guest) bool { return g.in == m })
}

// nudgeGuests makes ends look around that are being moved over this connection.
func (o *outbox) nudgeGuests() {
	for _, g := range o.guests {
		go g.end.Nudge() // it has locks of its own
	}
}

// PeerID is the number of the socket at the other end.
func (o *outbox) PeerID() uint64 { return o.c.peer.id }

// Stopped says why nothing can be sent any more.
func (o *outbox) Stopped() error {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	return o.writeStoppedLocked()
}

// carriesItself reports whether this very end is one of those that go with m.
func (o *outbox) carriesItself(m *message) bool {
	return m != nil && m.ends != nil && slices.ContainsFunc(m.ends.Ends(), func(e move.End) bool {
		c, ok := e.(client)
		return ok && c.base() == o.c
	})
}

// sendLuggageLocked writes the packets in front of a message.
func (s sending) sendLuggageLocked(m *message) error {
	for begun := false; m.ends.More(); begun = true {
		s.c.mu.Unlock()
		packet, err := m.ends.Packet()
		s.c.mu.Lock()
		if err != nil {
			return err
		}
		if err := s.putLocked(&packet, m, begun); err != nil {
			return err
		}
		m.ends.Wrote()
	}
	return nil
}
