package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"afunix/internal/descriptor"
	"afunix/internal/sock"
)

// Random fills the world with processes, connections, programs and faults, all of which the seed decides.
func (w *World) Random(seed uint64) {
	g := &generator{w: w, seed: seed, rng: rand.New(rand.NewPCG(seed, 7))}
	w.Windows = g.chance(60)
	w.strict = g.chance(50)
	flood := g.chance(2)
	var procs []*Process
	for i := range 2 + g.rng.IntN(2) {
		procs = append(procs, w.Spawn(fmt.Sprintf("P%d", i), g.standing()))
	}
	for range 1 + g.rng.IntN(3) {
		g.connection(procs, flood)
	}
	for range g.rng.IntN(4) {
		w.At(1+g.rng.IntN(300), g.fault(len(procs)))
	}
}

// A generator makes up worlds.
type generator struct {
	w    *World
	seed uint64
	rng  *rand.Rand
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

// connection makes two of the processes meet, now or later. Who comes later may be a new process, with the number of one that is dead.
func (g *generator) connection(procs []*Process, flood bool) {
	w := g.w
	i := g.rng.IntN(len(procs))
	server, client := procs[i], procs[(i+1+g.rng.IntN(len(procs)-1))%len(procs)]
	typ := pick(g, sock.Stream, sock.Stream, sock.Seqpacket)
	quota := pick(g, 1, 600, 5000, 1<<20)
	fromServer, fromClient := g.messages(flood && g.chance(50)), g.messages(flood)
	atServer, atClient := g.reader(flood), g.reader(flood)
	accept := pick(g, 0, 0, time.Millisecond, 20*time.Second)
	later := pick(g, 0, 0, time.Duration(g.rng.IntN(int(time.Minute))))
	newcomer, standing := g.chance(30), g.standing()
	w.Go("beginning", func() {
		time.Sleep(later)
		if newcomer {
			client = w.Spawn("newcomer", standing)
		}
		s, c := w.connection(typ, server, client, g.seed, quota)
		w.meet(s, c, fromServer, fromClient, atServer, atClient, accept)
	})
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
	r := Reader{Max: pick(g, 1000, 300000)}
	if g.chance(20) {
		r.Stop = 1 + g.rng.IntN(4)
	}
	if g.chance(20) || flood {
		r.Pause = time.Duration(g.rng.IntN(int(time.Minute)))
	}
	return r
}

func (g *generator) fault(procs int) Fault {
	f := Fault{
		Kind: pick(g, Kill, Kill, Exit, Suspend, Suspend, Freeze, Break, Fill),
		Of:   g.rng.IntN(procs),
		For:  time.Duration(g.rng.IntN(int(pick(g, time.Second, time.Minute)))),
	}
	return f
}
