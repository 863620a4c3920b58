package rights

import (
	"errors"
	"sync"
	"syscall"

	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/wire"
)

// Outgoing are the descriptors of one message on their way to a peer. It owns whatever it has
// duplicated: copies of ours that are parked in this process until the peer has pulled them, and
// duplicates that have been pushed into the peer. Descriptors are added, looked at and duplicated,
// and then their records are written; after that either Release or TakeBack ends it.
type Outgoing struct {
	table      descriptor.Table
	peer       pipe.Process
	route      Route
	items      []item
	seen       int  // so many of items have been looked at
	duplicated int  // so many of items
	exported   bool // a socket has been
}

// item is one descriptor.
type item struct {
	kind   descriptor.Kind
	value  uintptr // the caller's; once it is duplicated our parked copy, unless push is set
	pushed uint64  // the peer's, if push is set
	owner  wire.Owner
	push   bool // it goes into the peer's table: value stays the caller's, and pushed is what is to be taken back
}

// NewOutgoing returns an empty message to a peer, to which descriptors travel by route, with room
// for n.
func NewOutgoing(t descriptor.Table, peer pipe.Process, route Route, n int) *Outgoing {
	return &Outgoing{table: t, peer: peer, route: route, items: make([]item, 0, n)}
}

// Add adds v, which the caller keeps, and keeps open until Duplicate.
func (o *Outgoing) Add(v uintptr) {
	o.items = append(o.items, item{value: v, owner: wire.Sender})
}

// Look looks at the descriptors that have been added since it was called last. A failure is a
// descriptor.IndexError: EBADF if a descriptor is not open, descriptor.ErrNotSendable if its kind
// cannot be passed this way. Nothing is duplicated before all of a message's descriptors have been
// looked at, since a duplicate may take the number of one that is not open.
func (o *Outgoing) Look() error {
	l := looks.Get().(*look)
	defer looks.Put(l)
	l.at(o.items[o.seen:], o.seen)
	known, err := o.table.Kinds(l.asked)
	for i, a := range l.asked[:known] {
		if err := o.know(&o.items[l.places[i]], a.Kind); err != nil {
			return &descriptor.IndexError{Index: l.places[i], Err: err}
		}
	}
	if err != nil {
		return &descriptor.IndexError{Index: l.places[known], Err: err}
	}
	o.seen = len(o.items)
	return nil
}

// know notes of what kind it is, and so how it travels.
func (o *Outgoing) know(it *item, k descriptor.Kind) error {
	if err := descriptor.Sendable(it.value, k); err != nil {
		return err
	}
	it.kind = k
	switch {
	case k.Socket() && o.peer.ExportsSockets():
		if !o.route.Exports {
			return descriptor.ErrNotSendable
		}
		it.owner = wire.Exported
	case o.route.Way == Push:
		it.owner, it.push = wire.Receiver, true
	}
	return nil
}

// A look is what [Outgoing.Look] asks, and about which items.
type look struct {
	asked  []descriptor.Asked
	places []int
}

var looks = sync.Pool{New: func() any { return new(look) }}

// at makes l a look at those of items that are no ends. The first of items has number first.
func (l *look) at(items []item, first int) {
	l.asked, l.places = l.asked[:0], l.places[:0]
	for i := range items {
		if items[i].owner != wire.End {
			l.asked = append(l.asked, descriptor.Asked{Value: items[i].value})
			l.places = append(l.places, first+i)
		}
	}
}

// AddEnd adds an end of the pipe transport, of kind k, by its descriptor v, which the caller keeps
// open until Duplicate; 0 if it has none.
func (o *Outgoing) AddEnd(v uintptr, k descriptor.Kind) {
	o.items = append(o.items, item{kind: k, value: v, owner: wire.End, push: o.route.Way == Push})
}

// SetEnd says the descriptor of the end that was added as number i.
func (o *Outgoing) SetEnd(i int, v uintptr) { o.items[i].value = v }

// tableKind returns what it is in the descriptor table.
func (it *item) tableKind() descriptor.Kind {
	if it.owner == wire.End {
		return descriptor.EndKind(it.kind)
	}
	return it.kind
}

// absent: an end without a descriptor.
func (it *item) absent() bool { return it.owner == wire.End && it.value == 0 }

// Duplicate makes the copies. A failure is a descriptor.IndexError.
func (o *Outgoing) Duplicate() error {
	for i := range o.items {
		it := &o.items[i]
		var err error
		switch {
		case it.absent():
		case it.push:
			it.pushed, err = o.peer.Push(it.value)
		default:
			it.value, err = o.table.Dup(it.value, it.tableKind())
		}
		if err != nil {
			return &descriptor.IndexError{Index: i, Err: err}
		}
		o.duplicated++
	}
	return nil
}

// Len returns the number of descriptors.
func (o *Outgoing) Len() int { return len(o.items) }

// MaxLen bounds the length of the records.
func (o *Outgoing) MaxLen() (n int) {
	for _, it := range o.items {
		r := wire.Record{}
		if n += r.Len(); it.owner == wire.Exported {
			n += wire.MaxExtra
		}
	}
	return n
}

// Records returns the ancillary block. Sockets that must be exported, which cannot be taken back,
// are exported here, after everything else has succeeded (P4); a failure is a
// descriptor.IndexError.
func (o *Outgoing) Records() ([]byte, error) {
	block := make([]byte, 0, o.MaxLen())
	for i, it := range o.items {
		r := wire.Record{Kind: uint8(it.kind), Owner: it.owner}
		switch {
		case it.push:
			r.Value = it.pushed
		case it.owner != wire.Exported:
			r.Value = uint64(it.value)
		default:
			var err error
			if r.Extra, err = o.peer.ExportSocket(it.value); err != nil {
				if errors.Is(err, syscall.EPERM) {
					err = descriptor.ErrNotSendable // what was agreed on is not so
				}
				return nil, &descriptor.IndexError{Index: i, Err: err}
			}
			o.exported = true
		}
		block = r.Append(block)
	}
	return block, nil
}

// Exported reports whether Records has exported a socket: if the message is not written then,
// something stays behind in the peer, and the connection must end (P4).
func (o *Outgoing) Exported() bool { return o.exported }

// Release closes our copies: the peer has its own, or will never have them.
func (o *Outgoing) Release() {
	for _, it := range o.items[:o.duplicated] {
		if !it.push && !it.absent() {
			o.table.Close(it.value, it.tableKind()) // ours alone: it can only fail if it was closed behind our back
		}
	}
	o.items, o.duplicated = nil, 0
}

// Unpark closes our copies, which the peer will not ask for, and keeps what has been put into the
// peer: until TakeBack, or Decline. Sockets that have been exported it returns, nil if there are
// none: they stay open until Release, since the peer may have to import them to get rid of them.
func (o *Outgoing) Unpark() (exported *Outgoing) {
	var pushed, parked, sockets []item
	for _, it := range o.items[:o.duplicated] {
		switch {
		case it.owner == wire.Exported && o.exported:
			sockets = append(sockets, it)
		case it.push && !it.absent():
			pushed = append(pushed, it)
		default:
			parked = append(parked, it)
		}
	}
	o.items, o.duplicated = parked, len(parked)
	o.Release()
	o.items, o.duplicated = pushed, len(pushed)
	if len(sockets) > 0 {
		exported = &Outgoing{table: o.table, peer: o.peer, route: o.route, items: sockets, duplicated: len(sockets), exported: true}
	}
	return exported
}

// TakeBack undoes everything: nothing of the message was written (P4).
func (o *Outgoing) TakeBack() {
	for _, it := range o.items[:o.duplicated] {
		if it.push && !it.absent() {
			o.peer.TakeBack(it.pushed) // fails if the peer is gone, and its table with it
		}
	}
	o.Release()
}

// Decline is Release: what was put into the peer, it has closed.
func (o *Outgoing) Decline() { o.Release() }
