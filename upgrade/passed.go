package upgrade

import (
	"context"
	"io"
	"net"
	"slices"

	"afunix"
	"afunix/internal/activated"
	"afunix/internal/locks"
)

// A passed socket is a socket that the service manager has passed to this process, or to a process
// before it. It stays here whatever becomes of the Listener that uses it: the manager has it open
// in any case, so nobody could bind its address anew. The manager may also pass descriptors that
// are no sockets. They are kept as well, and nobody asks for them.
type passed struct {
	activated.Candidate
	descriptor descriptor
	addr       string // what a socket is bound to
	last       key    // what it was asked for by, here or in a process before; only a name if it was not
	file       socketFile
	user       socket // who has asked for it here; under Upgrader.mu
}

// A descriptor can be sent, and closed.
type descriptor interface {
	afunix.Sendable
	io.Closer
}

// newPassed takes a descriptor over if it succeeds.
func newPassed(r afunix.Rights, name string) (*passed, error) {
	d, addr, err := whatItIs(r)
	if err != nil {
		return nil, err
	}
	p := &passed{Candidate: activated.Candidate{Name: name}, descriptor: d, last: key{Name: name}}
	if addr != nil {
		p.Network, p.Place, p.addr = addr.Network(), activated.PlaceOf(addr), addr.String()
	}
	return p, nil
}

// passOn returns a socket of the service manager's that the predecessor hands on. The service
// manager has passed it to the predecessor, or to a process before that.
func passOn(m message, r afunix.Rights) (*passed, error) {
	name := m.Key.Name
	if m.Passed != nil { // older ones do not tell
		name = string(m.Passed)
	}
	p, err := newPassed(r, name)
	if err != nil {
		return nil, err
	}
	p.last = m.Key
	if m.File != nil {
		p.file = *m.File
	} else {
		p.findFile()
	}
	return p, nil
}

// findFile finds the socket file, if it has one, of which nobody says which it is.
func (p *passed) findFile() { p.file = fileOf(p.descriptor, p.Network, p.addr) }

// whatItIs takes the descriptor as a socket from which somebody can be served, or else as a file,
// without an address.
func whatItIs(r afunix.Rights) (descriptor, net.Addr, error) {
	switch r.Kind(0) {
	case afunix.KindListener, afunix.KindUnixListener:
		if l, err := r.Listener(0); err == nil {
			return l.(descriptor), l.Addr(), nil
		}
	case afunix.KindDatagram, afunix.KindUnix:
		if c, err := r.PacketConn(0); err == nil {
			return c.(descriptor), c.LocalAddr(), nil
		}
	}
	f, err := r.File(0)
	return f, nil, err
}

// claimPassed returns the service manager's socket that is meant by k, as an offer of a duplicate;
// nil if there is none.
func (u *Upgrader) claimPassed(ctx context.Context, k key) (*offer, error) {
	u.mu.Lock()
	none := len(u.passed) == 0
	u.mu.Unlock()
	if none {
		return nil, nil // so nobody need be asked for the addresses of a host
	}
	r := activated.Request{Name: k.Name, Network: k.Network, Places: activated.PlacesOf(ctx, k.Network, k.Address)}
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.findPassed(k, r)
	if p == nil {
		return nil, nil
	}
	rights, err := duplicate(p.descriptor)
	if err != nil {
		return nil, err
	}
	return &offer{key: k, passed: p, file: p.file, rights: rights}, nil
}

// findPassed prefers what the predecessor has asked for by the same key. The caller holds u.mu.
func (u *Upgrader) findPassed(k key, r activated.Request) *passed {
	i := slices.IndexFunc(u.passed, func(p *passed) bool { return p.user == nil && p.last == k })
	if i < 0 {
		var candidates []activated.Candidate
		for _, p := range u.passed {
			c := p.Candidate
			c.Used = p.user != nil
			candidates = append(candidates, c)
		}
		i = activated.Choose(r, candidates)
	}
	if i < 0 {
		return nil
	}
	return u.passed[i]
}

// offerOf is what a successor is told of p.
func (u *Upgrader) offerOf(p *passed) message {
	u.mu.Lock()
	defer u.mu.Unlock()
	return message{Type: typeOffer, Key: p.last, Kept: true, Passed: []byte(p.Name), File: p.file.message()}
}

// duplicate makes of an open descriptor what ReadMsg would have received: the kind is known, and
// child processes do not inherit the descriptor.
func duplicate(s afunix.Sendable) (afunix.Rights, error) {
	a, b, err := afunix.Pair("unix")
	if err != nil {
		return afunix.Rights{}, err
	}
	defer a.Close()
	defer b.Close()
	if _, err := a.WriteMsg([]byte{0}, s); err != nil {
		return afunix.Rights{}, err
	}
	m, err := b.ReadMsg(make([]byte, 1))
	if err != nil {
		m.Rights.Close()
		return afunix.Rights{}, err
	}
	return m.Rights, nil
}

// unused is what a call of New has left that has failed. Nobody else has it, and nobody could make
// it anew.
var unused struct {
	mu     locks.Mutex[locks.Unused]
	passed []*passed
}

// leaveUnused leaves what was passed for another call of New.
func leaveUnused(all []*passed) {
	unused.mu.Lock()
	defer unused.mu.Unlock()
	unused.passed = append(unused.passed, all...)
}

// takeUnused takes it over.
func takeUnused() []*passed {
	unused.mu.Lock()
	defer unused.mu.Unlock()
	all := unused.passed
	unused.passed = nil
	return all
}

// closeAll closes what was passed.
func closeAll(list *[]*passed) {
	for _, p := range *list {
		p.descriptor.Close()
	}
	*list = nil
}
