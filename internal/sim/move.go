package sim

import (
	"math/rand/v2"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/endpoint"
)

// A cargo is an end that is sent to another process.
type cargo struct {
	end    any                                // as transport.File has it
	arrive func(p *Process, e descriptor.End) // what the program goes on with that receives it
	gone   bool

	of       *Side // that it is, or that it would accept; nil: something else
	listener bool
	arrived  bool // a program has received it; guarded by World.mu
}

// call is that of the program that sends c over l, or sends a message without cargo.
func (c *cargo) call(l *life) call {
	if c == nil {
		return call{over: l, of: l.Side, plight: turns}
	}
	return call{over: l, of: c.of, listener: c.listener, plight: turns}
}

// carry sends an end over a side, with a file by which the message is known, and reports whether it
// has gone. The process has to have the side.
func (c *cargo) carry(p *Process, over *Side, random *rand.Rand, o Outgoing) (gone bool) {
	w := p.w
	w.await(over)
	carrier := w.living(over)
	if carrier == nil || carrier.p != p {
		return false
	}
	o.Kinds = append([]descriptor.Kind{descriptor.File}, o.Kinds...)
	w.underWay(1)
	p.sends(1)
	carrier.sendOne(random, o, c)
	p.sends(-1)
	if !c.gone {
		w.underWay(-1)
	}
	return c.gone
}

// sends counts ends that p sends, and has not let go of: their receiver may have them already.
func (p *Process) sends(n int) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.sending += n
}

// underWay counts ends that have been sent and not received.
func (w *World) underWay(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.transit += n
}

// await waits until a process has a side, but not for long: it may not be connected yet. It looks
// every millisecond, as far as anybody can tell.
func (w *World) await(s *Side) {
	if w.living(s) != nil {
		return
	}
	begun, late := time.Now(), time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-late.C:
	case <-s.lived:
		passed := time.Since(begun)
		time.Sleep((passed + time.Millisecond - 1).Truncate(time.Millisecond) - passed)
	}
}

// living returns what a process does with a side now.
func (w *World) living(s *Side) *life {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lives[s]
}

// carried tells the randomness of such a message from that of a life: see Live.
const carried = 1 << 32

// move sends the socket of l over another one of the same process, or itself, and reports whether
// it has gone. Who receives it goes on with the rest.
func (l *life) move(o Outgoing, rest []Outgoing, r Reader) (gone bool) {
	c := &cargo{end: l.conn, of: l.Side, arrive: func(p *Process, e descriptor.End) {
		p.Own(e)
		l.Side.Live(p, e.(*endpoint.Conn), rest, r)
	}}
	// Another program may use that of l, and may have as much to send. No two messages are as far
	// from the end of the list, of which each of the programs has a part.
	random := rand.New(rand.NewPCG(l.seed, carried|uint64(cap(rest))))
	if !c.carry(l.p, o.Over, random, o) {
		return false
	}
	l.p.Disown(l.conn)
	return true
}

// takeOver goes on with the end that has come with r. Which one it is, its message tells.
func (l *life) takeOver(r *reading, e descriptor.End) {
	l.w.mu.Lock()
	var c *cargo
	if len(r.files) > 0 && l.w.home[r.files[0]] != nil {
		c = l.w.home[r.files[0]].cargo
	}
	if c != nil {
		c.arrived = true
	}
	l.w.mu.Unlock()
	if c == nil {
		l.w.fail("order and boundaries", "%s: a socket came with what it was not sent with", l.name)
		e.Close()
		return
	}
	c.arrive(l.p, e)
	l.w.underWay(-1)
}
