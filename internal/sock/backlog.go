package sock

import "slices"

// MaxBacklog is the system's maximum: net.core.somaxconn.
const MaxBacklog = 4096

// Bounds of what strangers may cost a listener.
const (
	MaxGreetings   = 256       // clients whose hello is under way
	pendingRights  = MaxRights // descriptors of a client before it is accepted: one full message
	pendingHolders = 16        // how many clients may have that, or anything else here (P3)
)

// A Backlog is the clients of a listener that nobody has accepted: those that are greeted, in any
// order, and those that wait in the queue. Each has a Place. C is a client's connection.
type Backlog[C any] struct {
	limit    int // as of listen(2)
	greeting []*Place[C]
	queue    []*Place[C] // in the order in which they were admitted
}

// NewBacklog returns a Backlog with the limit of listen(2). One below 1 means the maximum.
func NewBacklog[C any](limit int) Backlog[C] {
	if limit < 1 || limit > MaxBacklog {
		limit = MaxBacklog
	}
	return Backlog[C]{limit: limit}
}

// A Stage is how far a client has come.
type Stage uint8

// The stages.
const (
	Quiet       Stage = iota // it has not said hello
	Heard                    // it has
	Admitted                 // … and is in the queue; its greeting is not over
	Established              // it can be accepted
	Gone                     // its greeting came to nothing
)

// A Place is that of one client.
type Place[C any] struct {
	Client C

	stage   Stage
	crowded bool
}

// Stage is how far the client has come.
func (p *Place[C]) Stage() Stage { return p.stage }

// Crowded reports whether so many wait in front of the client that what it sends stays in its pipe,
// which is the system's.
func (p *Place[C]) Crowded() bool { return p.crowded }

// Limit is the limit of listen(2).
func (b *Backlog[C]) Limit() int { return b.limit }

// Greet begins to greet a client, unless as many are greeted as may be.
func (b *Backlog[C]) Greet(p *Place[C]) bool {
	if len(b.greeting) >= MaxGreetings {
		return false
	}
	b.greeting = append(b.greeting, p)
	return true
}

// Hear takes in that a client has said hello.
func (b *Backlog[C]) Hear(p *Place[C]) {
	if p.stage == Quiet {
		p.stage = Heard
	}
}

// Admit gives a client its place in the queue, if there is room, and says how many descriptors are
// taken from it before it is accepted. As on Linux, one more than the limit fit (row 102).
func (b *Backlog[C]) Admit(p *Place[C]) (rights int, room bool) {
	waiting := len(b.queue)
	if waiting > b.limit {
		return 0, false
	}
	b.queue = append(b.queue, p)
	p.stage, p.crowded = Admitted, waiting >= pendingHolders
	if p.crowded {
		return 0, true
	}
	return pendingRights, true
}

// Establish ends a greeting. The client can be accepted.
func (b *Backlog[C]) Establish(p *Place[C]) { b.end(p, Established) }

// Forget ends a greeting that came to nothing.
func (b *Backlog[C]) Forget(p *Place[C]) {
	b.end(p, Gone)
	b.queue = without(b.queue, p)
}

func (b *Backlog[C]) end(p *Place[C], s Stage) {
	p.stage = s
	b.greeting = without(b.greeting, p)
}

// without returns places without p.
func without[C any](places []*Place[C], p *Place[C]) []*Place[C] {
	return slices.DeleteFunc(places, func(other *Place[C]) bool { return other == p })
}

// Restore puts a client into the queue that has waited elsewhere.
func (b *Backlog[C]) Restore(c C) {
	b.queue = append(b.queue, &Place[C]{Client: c, stage: Established})
}

// Next takes the client that is to be accepted next, if its greeting is over.
func (b *Backlog[C]) Next() (c C, ok bool) {
	if len(b.queue) == 0 || b.queue[0].stage != Established {
		return c, false
	}
	c = b.queue[0].Client
	b.queue[0] = nil
	b.queue = b.queue[1:]
	return c, true
}

// Greeting returns the clients that are greeted. They are still the Backlog's.
func (b *Backlog[C]) Greeting() []*Place[C] { return b.greeting }

// Queue returns the clients that wait, in their order. They are still the Backlog's.
func (b *Backlog[C]) Queue() []*Place[C] { return b.queue }

// Clear returns the clients that wait, and forgets them.
func (b *Backlog[C]) Clear() []*Place[C] {
	queue := b.queue
	b.queue = nil
	return queue
}
