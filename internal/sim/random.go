package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
)

// Random fills the world with processes, connections, programs and faults, all of which the seed
// decides.
func (w *World) Random(seed uint64, coarse bool) {
	g := &generator{w: w, seed: seed, rng: rand.New(rand.NewPCG(seed, 7))}
	w.Windows = g.chance(60)
	w.strict = g.chance(50)
	w.Moves = g.chance(40)
	w.Coarse = w.Moves && coarse
	flood := g.chance(2)
	for i := range 2 + g.rng.IntN(2) {
		g.procs = append(g.procs, w.Spawn(fmt.Sprintf("P%d", i), g.standing()))
	}
	var meetings []*Meeting
	for range 1 + g.rng.IntN(3) {
		meetings = append(meetings, g.meeting(flood))
	}
	if g.chance(40) {
		g.mail()
	}
	for _, m := range meetings {
		if w.Moves {
			g.moves(m)
		}
		g.begin(m)
	}
	for range g.rng.IntN(4) {
		w.At(1+g.rng.IntN(300), g.fault())
	}
}

// A generator makes up worlds.
type generator struct {
	w     *World
	seed  uint64
	rng   *rand.Rand
	procs []*Process
	sides []*Side // that may carry ends
}

func (g *generator) chance(percent int) bool { return g.rng.IntN(100) < percent }

// pick returns one of several.
func pick[T any](g *generator, of ...T) T { return of[g.rng.IntN(len(of))] }

// standing is most often that of everybody else.
func (g *generator) standing() Standing {
	if g.chance(70) {
		return Standing{1, Plain}
	}
	return pick(g, Standing{1, Low}, Standing{1, Elevated}, Standing{0, SYSTEM}, Standing{2, Plain})
}

// meeting makes two of the processes meet.
func (g *generator) meeting(flood bool) *Meeting {
	i := g.rng.IntN(len(g.procs))
	server, client := g.procs[i], g.procs[(i+1+g.rng.IntN(len(g.procs)-1))%len(g.procs)]
	typ := pick(g, sock.Stream, sock.Stream, sock.Seqpacket)
	quota := pick(g, 1, 600, 5000, 1<<20)
	m := &Meeting{
		fromServer: g.messages(flood && g.chance(50)), fromClient: g.messages(flood),
		atServer: g.reader(flood), atClient: g.reader(flood),
		accept: pick(g, 0, 0, time.Millisecond, 20*time.Second),
	}
	m.server, m.client = g.w.connection(typ, server, client, g.seed, quota)
	g.sides = append(g.sides, m.server, m.client)
	return m
}

// moves makes ends of a meeting move: over another end of its process, or over itself.
func (g *generator) moves(m *Meeting) {
	for _, at := range []struct {
		side     *Side
		messages *[]Outgoing
	}{{m.server, &m.fromServer}, {m.client, &m.fromClient}} {
		for range g.rng.IntN(3) {
			o := Outgoing{Bytes: 1 + g.rng.IntN(50), Over: g.carrier(at.side.holder), Wait: pick(g, 0, 0, time.Second)}
			if g.chance(30) {
				o.Deadline = pick(g, time.Millisecond, 10*time.Second)
			}
			*at.messages = slices.Insert(*at.messages, g.rng.IntN(len(*at.messages)+1), o)
		}
	}
	if g.chance(30) {
		m.Via = g.carrier(m.server.holder)
	}
}

// carrier returns a side of a process.
func (g *generator) carrier(p *Process) *Side {
	var of []*Side
	for _, s := range g.sides {
		if s.holder == p {
			of = append(of, s)
		}
	}
	if len(of) == 0 {
		return g.sides[0] // and the process will see that it has not got it
	}
	return pick(g, of...)
}

// begin makes a meeting begin, now or later. If it is later, the client may be a new process, with
// the number of one that is dead.
func (g *generator) begin(m *Meeting) {
	later := pick(g, 0, 0, time.Duration(g.rng.Int64N(int64(time.Minute))))
	newcomer, standing := g.chance(30), g.standing()
	g.w.Go("beginning", func() {
		time.Sleep(later)
		if newcomer {
			m.client.mayAdopt(g.w.Spawn("newcomer", standing), afterAccept)
		}
		g.w.meet(m)
	})
}

// mail makes datagram sockets: some that have names and receive, and some that are connected to
// those.
func (g *generator) mail() {
	var boxes []*Box
	for i := range 1 + g.rng.IntN(3) {
		boxes = append(boxes, g.w.box(pick(g, g.procs...), fmt.Sprintf("box%d", i), nil, g.seed))
	}
	named := boxes
	for range g.rng.IntN(3) {
		boxes = append(boxes, g.w.box(pick(g, g.procs...), "", pick(g, named...), g.seed))
	}
	for _, b := range boxes {
		letters := g.messages(false)
		for i := range letters {
			letters[i].To = pick(g, named...)
			letters[i].Wait = pick(g, 0, 0, time.Millisecond, time.Minute)
		}
		if b.name != "" && g.w.Moves && g.chance(50) {
			letters = append(letters, Outgoing{Bytes: 20, Over: g.carrier(b.holder), Wait: time.Second})
		}
		b.Open(b.holder, letters, g.reader(g.chance(20)))
	}
}

// messages are what a program sends.
func (g *generator) messages(flood bool) (messages []Outgoing) {
	n := g.rng.IntN(6)
	if flood {
		n = 10
	}
	for range n {
		m := Outgoing{Bytes: 1 + g.rng.IntN(pick(g, 10, 1000, 10000, 200000))}
		if g.chance(50) || flood {
			for range 1 + g.rng.IntN(4) {
				m.Kinds = append(m.Kinds, pick(g, descriptor.File, descriptor.Pipe, descriptor.Event, descriptor.Stream))
			}
		}
		for flood && len(m.Kinds) < descriptor.Max {
			m.Kinds = append(m.Kinds, descriptor.File)
		}
		if g.chance(20) {
			m.Deadline = pick(g, time.Microsecond, 10*time.Millisecond, 10*time.Second)
		}
		messages = append(messages, m)
	}
	return messages
}

func (g *generator) reader(flood bool) Reader {
	r := Reader{Max: pick(g, 1000, largest), Two: g.chance(20)}
	if g.chance(20) {
		r.Stop = 1 + g.rng.IntN(4)
	}
	if g.chance(20) || flood {
		r.Pause = time.Duration(g.rng.Int64N(int64(time.Minute)))
	}
	return r
}

func (g *generator) fault() Fault {
	return Fault{
		Kind: pick(g, Kill, Kill, Exit, Suspend, Suspend, Freeze, Break, Fill, Deny),
		Of:   g.rng.IntN(len(g.procs)),
		For:  time.Duration(g.rng.IntN(int(pick(g, time.Second, time.Minute)))),
	}
}
