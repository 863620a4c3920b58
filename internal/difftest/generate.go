package difftest

import (
	"fmt"
	"math/rand/v2"

	"afunix"
)

// slots is how many sockets a program has at most.
const slots = 10

// length is how many operations a program has, Done not counted.
const length = 60

// A generator chooses operations for a reference run, by what that has come to.
type generator struct {
	*rand.Rand
	ref *run
}

// generate runs a random program of about n operations on the kernel transport.
func (t *Tester) generate(seed, number uint64, n int) (*run, error) {
	ref, err := t.begin(afunix.KernelTransport, nil)
	if err != nil {
		return nil, err
	}
	g := &generator{Rand: rand.New(rand.NewPCG(seed, number)), ref: ref}
	for range n {
		ref.do(g.next())
	}
	return ref, nil
}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

// taken lists the slots for which is holds, in order.
func (g *generator) taken(is func(*slot) bool) (list []int) {
	for i := range slots {
		if s := g.ref.slots[i]; s != nil && is(s) {
			list = append(list, i)
		}
	}
	return list
}

// free returns an empty slot, or -1.
func (g *generator) free(but int) int {
	for i := range slots {
		if i != but && g.ref.slots[i] == nil {
			return i
		}
	}
	return -1
}

func (g *generator) next() Op {
	conns := g.taken(func(s *slot) bool { return !s.listener })
	listeners := g.taken(func(s *slot) bool { return s.listener })
	switch {
	case g.chance(400):
		return Op{Kind: Kill}
	case g.chance(14):
		return g.file()
	case g.free(-1) >= 0 && (len(conns) < 3 || g.chance(8)):
		return g.create()
	case len(listeners) > 0 && g.chance(6):
		return g.onListener(pick(g, listeners...))
	case len(conns) > 0:
		return g.onConn(pick(g, conns...))
	}
	return g.create()
}

// name returns a name; most often one that is in use, if used.
func (g *generator) name(used bool) string {
	if used && !g.chance(10) {
		if bound := g.taken(func(s *slot) bool { return s.name != "" }); len(bound) > 0 {
			return g.ref.slots[pick(g, bound...)].name
		}
	}
	if g.chance(12) {
		return pick(g, "missing/p", "p0/p", "long:107", "long:108", "@long:107", "@long:108", "@long:109", "@")
	}
	return pick(g, "p0", "p1", "p2", "p3", "@a0", "@a1", "@a2")
}

func (g *generator) create() Op {
	op := Op{Proc: g.IntN(2), Slot: g.free(-1), Net: pick(g, "unix", "unixpacket", "unixgram")}
	op.Other = g.free(op.Slot)
	k := g.IntN(10)
	if op.Other < 0 && k < 5 {
		k = 9
	}
	switch {
	case k < 2:
		op.Kind = Pair
	case k < 5:
		op.Kind = Connect
	case k < 7 && op.Net == "unixgram":
		op.Kind, op.Name, op.Other = ListenPacket, g.name(false), 0
		if g.chance(6) {
			op.Name = ""
		}
	case k < 7:
		op.Kind, op.Name, op.N, op.Other = Listen, g.name(false), pick(g, 0, 0, 1, 2, 5), 0
	default:
		op.Kind, op.Name, op.Other = Dial, g.name(true), 0
		if g.chance(3) || op.Net == "unixgram" && g.chance(2) {
			op.Name2 = g.name(false)
		}
	}
	return op
}

func (g *generator) file() Op {
	op := Op{Kind: pick(g, Unlink, Rename, Link, Symlink, Create, Stat, Stat), Name: pick(g, "p0", "p1", "p2", "p3")}
	switch op.Kind {
	case Rename, Link, Symlink:
		op.Name2 = pick(g, "p0", "p1", "p2", "p3")
	}
	return op
}

func (g *generator) ready(i int) bool { return g.ref.procs()[g.ref.slots[i].proc].ready(i) }

func (g *generator) onListener(i int) Op {
	s := g.ref.slots[i]
	free := g.free(-1)
	switch {
	case g.chance(12):
		return Op{Kind: Close, Slot: i}
	case g.chance(12):
		return Op{Kind: UnlinkOnClose, Slot: i, On: g.chance(2)}
	case g.chance(20):
		return Op{Kind: Addresses, Slot: i}
	case free >= 0 && (g.ready(i) || g.chance(40)):
		return Op{Kind: Accept, Slot: i, Other: free}
	case free >= 0:
		return Op{Kind: Dial, Proc: g.IntN(2), Slot: free, Net: s.net, Name: s.name}
	}
	return Op{Kind: Addresses, Slot: i}
}

// size returns a number of bytes to write.
func (g *generator) size() int {
	switch g.IntN(10) {
	case 0:
		return pick(g, 0, 0, 4575, 4576, 4577, 65503, 65519, 65520, 65535, 65536, 70000, 106432,
			140000, 212959, 212960, 212961, 425952, 425953)
	case 1:
		return g.IntN(100000)
	}
	return 1 + g.IntN(12)
}

// room returns the size of a buffer to read into.
func (g *generator) room() int {
	switch g.IntN(12) {
	case 0:
		return 0
	case 1, 2, 3:
		return 500000
	case 4:
		return g.IntN(100000)
	}
	return 1 + g.IntN(20)
}

// descriptors returns how many to send.
func (g *generator) descriptors() int {
	if g.chance(8) {
		return pick(g, 0, 252, 253, 254, 300, g.IntN(300))
	}
	return 1 + g.IntN(4)
}

// reader returns a socket that has something to read, often the peer of i; or -1.
func (g *generator) reader(i int) int {
	if p := g.ref.slots[i].peer; p != nobody && g.ref.slots[p] != nil && g.chance(2) {
		i = p
	}
	for _, j := range append([]int{i}, g.Perm(slots)...) {
		if s := g.ref.slots[j]; s != nil && !s.listener && g.ready(j) {
			return j
		}
	}
	return -1
}

func (g *generator) onConn(i int) Op {
	s := g.ref.slots[i]
	op := Op{Slot: i}
	if s.net == "unixgram" && s.name != "" && g.chance(12) {
		return Op{Kind: pick(g, Flood, Together), Proc: g.IntN(2), Slot: i, N: 1 + g.IntN(5)}
	}
	switch k := g.IntN(100); {
	case k < 30:
		op.N = g.size()
		op.Kind = pick(g, Write, WriteMsg, WriteMsg)
		if s.net == "unixgram" && g.chance(2) {
			op.Kind, op.Name = WriteTo, g.name(true)
		}
		if op.Kind != Write && g.chance(2) {
			op.Files = g.descriptors()
		}
	case k < 72:
		if j := g.reader(i); j >= 0 {
			op.Slot = j
		} else if !g.chance(25) {
			return Op{Kind: pick(g, Write, WriteMsg), Slot: i, N: 1 + g.IntN(9)}
		}
		op.Kind, op.N = pick(g, Read, ReadFrom, ReadMsg, ReadMsg, ReadMsg, ReadMsg, Peek, Peek), g.room()
		if op.Kind == ReadMsg {
			op.Other = max(g.free(-1), 0)
		}
	case k < 75:
		op.Kind = CloseRead
	case k < 78:
		op.Kind = CloseWrite
	case k < 83:
		op.Kind = Close
	case k < 84:
		op.Kind = Expire
	case k < 86:
		op.Kind, op.N = pick(g, ReadBuffer, WriteBuffer, WriteBuffer), pick(g, 0, 1, 2304, 4608, 10000, 50000, 212992)
	case k < 89:
		op.Kind, op.On = PassCreds, !g.chance(3)
	case k < 91:
		op.Kind = PeerCreds
	case k < 93:
		op.Kind = Addresses
	case k < 94:
		op.Kind, op.N, op.Proc = Flood, pick(g, 50, 5000, 70000), g.IntN(2)
	case k < 97:
		op.Kind, op.N = Pass, 1+g.IntN(5)
		if same := g.taken(func(o *slot) bool { return o.proc == s.proc && o != s }); len(same) > 0 {
			op.Other = pick(g, same...)
		} else {
			op.Kind = Write
		}
	default:
		op.Kind, op.N = Write, 1+g.IntN(12)
	}
	return op
}

// Check compares about n operations of random programs with the kernel transport, and returns the
// shrunk differences that it found: at most max of them, no two of one signature. progress is told
// after each program.
func (t *Tester) Check(tr afunix.Transport, seed uint64, n, max int, progress func(Progress)) ([]*Difference, error) {
	p := Progress{Seed: seed}
	var found []*Difference
	known := make(map[signature]bool)
	for ; p.Ops < n && len(found) < max; p.Programs++ {
		ref, err := t.generate(seed, uint64(p.Programs), length)
		if err != nil {
			return found, err
		}
		d, err := t.replay(ref, tr)
		if err != nil {
			return found, err
		}
		p.Ops += len(ref.ops)
		if d != nil {
			p.Differences++
			if sig := d.signature(); !known[sig] {
				known[sig] = true
				found = append(found, t.shrink(d))
			}
		}
		progress(p)
	}
	return found, nil
}

// Progress says how far Check has come.
type Progress struct {
	Ops, Programs, Differences int    // so many so far
	Seed                       uint64 // of the whole run
}

// String is a line for a log.
func (p Progress) String() string {
	return fmt.Sprintf("%d operations, %d programs, %d differences, seed %d", p.Ops, p.Programs, p.Differences, p.Seed)
}
