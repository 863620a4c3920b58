package sim

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"afunix/internal/cred"
	"afunix/internal/descriptor"
	"afunix/internal/pipe"
	"afunix/internal/simproc"
)

// A Standing decides who may open whom: see the table in the tests. SYSTEM opens everybody, and
// else one opens those of the same user that are not more privileged.
type Standing struct {
	User  int
	Level Level
}

// A Level is a process's integrity level.
type Level uint8

// The levels, ascending.
const (
	Low Level = iota
	Plain
	Elevated
	SYSTEM
)

func (s Standing) opens(t Standing) bool {
	return s.Level == SYSTEM || s.User == t.User && s.Level >= t.Level
}

// ability is what a process of standing s can do to one of standing t.
func (w *World) ability(s, t Standing) (can pipe.Ability) {
	switch {
	case !s.opens(t):
	case w.Windows:
		can = pipe.CanPull | pipe.CanPush
	default:
		can = pipe.CanPull
	}
	if w.Windows && t.opens(s) {
		can |= pipe.Trusts
	}
	return can
}

// A Process has a table, and a program whose calls are made by the tests. It satisfies
// descriptor.Table.
type Process struct {
	*simproc.Process
	w        *World
	number   int
	name     string
	pid      int
	standing Standing

	// Guarded by World.mu.
	dead      bool
	suspended bool
	full      bool // its table has been
	held      []func()
	unsent    map[*end]int // bytes that it has written while it is suspended, and that have a place in the pipe
	objects   []io.Closer  // that its program has
	leaving   bool
	sending   int             // ends that it sends, of which it has not let go
	adopted   map[uint64]bool // what the engine has taken ahead of the program
	orphans   map[uint64]*orphan
}

// Spawn starts a process. Its number is that of one that is dead, if there is one: PIDs are used
// again.
func (w *World) Spawn(name string, s Standing) *Process {
	p := &Process{
		Process: simproc.New(name), w: w, name: name, standing: s,
		unsent: make(map[*end]int), adopted: make(map[uint64]bool), orphans: make(map[uint64]*orphan),
	}
	if !w.strict {
		p.Reuse()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p.number, p.pid = len(w.procs), 1000+len(w.procs)
	for _, q := range w.procs {
		if q.dead {
			p.pid = q.pid
		}
	}
	w.procs = append(w.procs, p)
	return p
}

// withPID returns the living process that has this number now. The caller holds mu.
func (w *World) withPID(pid int) *Process {
	for _, p := range w.procs {
		if p.pid == pid && !p.dead {
			return p
		}
	}
	return nil
}

func (p *Process) credentials() cred.Credentials {
	return cred.Credentials{PID: p.pid, UID: p.standing.User, GID: 1}
}

// proof names the process as it would itself.
func (p *Process) proof() []byte { return binary.LittleEndian.AppendUint32(nil, uint32(p.pid)) }

// Dead reports whether the process has ended.
func (p *Process) Dead() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead
}

// Own notes an object of the program's, which ends with the process.
func (p *Process) Own(c io.Closer) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.objects = append(p.objects, c)
	if p.dead || p.leaving {
		p.w.graves = append(p.w.graves, p)
	}
}

// Disown notes that an object is no longer the program's: it has been moved.
func (p *Process) Disown(c io.Closer) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for i, o := range p.objects {
		if o == c {
			p.objects[i] = closed{}
		}
	}
}

type closed struct{}

func (closed) Close() error { return nil }

func (p *Process) kill() {
	w := p.w
	w.mu.Lock()
	if p.dead {
		w.mu.Unlock()
		return
	}
	p.dead, p.suspended, p.held = true, false, nil
	for to, n := range p.unsent {
		to.bytes -= n
	}
	w.graves = append(w.graves, p)
	w.mu.Unlock()
	p.Process.Kill()
}

func (p *Process) exit() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if !p.dead && !p.leaving {
		p.leaving = true
		p.w.graves = append(p.w.graves, p)
	}
}

func (p *Process) filled() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.full = true
}

func (p *Process) suspend() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.suspended = !p.dead
}

// resume lets p go on, and happen what it has done meanwhile under the engine's locks.
func (p *Process) resume() {
	for {
		p.w.mu.Lock()
		held := p.held
		p.held = nil
		clear(p.unsent)
		p.suspended = p.suspended && len(held) > 0
		p.w.mu.Unlock()
		if len(held) == 0 {
			return
		}
		for _, f := range held {
			f()
		}
	}
}

// effect does what other processes can see of an operation: not while p is suspended.
func (p *Process) effect(f func()) {
	p.w.mu.Lock()
	if p.suspended {
		p.held = append(p.held, f)
		p.w.mu.Unlock()
		return
	}
	p.w.mu.Unlock()
	f()
}

// bury ends the engine in processes that have ended. Nothing that it still does has an effect. Of
// one that exits it is the program that closes everything.
func (w *World) bury() {
	w.mu.Lock()
	graves := w.graves
	w.graves = nil
	type burial struct {
		p       *Process
		objects []io.Closer
		exits   bool
	}
	var burials []burial
	for _, p := range graves {
		burials = append(burials, burial{p, p.objects, !p.dead})
		p.objects = nil
	}
	w.mu.Unlock()
	for _, b := range burials {
		w.Go("end of "+b.p.name, func() {
			for _, o := range b.objects {
				o.Close() // net.ErrClosed, if the program was faster
			}
			if b.exits {
				b.p.kill()
			}
		})
	}
}

// End ends all processes, so that nobody who waits for ever keeps the bubble, and returns what was
// wrong.
func (w *World) End() []string {
	w.mu.Lock()
	bad := w.bad
	w.bad = nil
	procs := w.procs
	w.mu.Unlock()
	for _, p := range procs {
		p.kill()
	}
	w.Run(time.Minute)
	return append(bad, w.bad...)
}

// pass is a gate, where gates are fine.
func (p *Process) pass(does what) {
	if !p.w.Coarse {
		p.w.gate(p, does, always)
	}
	p.w.step(p, does)
}

// Kind is that of descriptor.Table.
func (p *Process) Kind(v uintptr) (descriptor.Kind, error) {
	if !p.w.Moves { // a datagram socket is looked at under its lock when it is about to move
		p.w.gate(p, word("kind"), always)
	}
	p.w.step(p, word("kind"))
	return p.Process.Kind(v)
}

// Kinds is that of descriptor.Table.
func (p *Process) Kinds(asked []descriptor.Asked) (int, error) {
	return descriptor.EachKind(p, asked)
}

// Matches is that of descriptor.Table. Whoever asks has found the value in a packet, and owns it if
// it fits.
func (p *Process) Matches(v uintptr, k descriptor.Kind) (bool, error) {
	p.pass(word("matches"))
	fits, err := p.Process.Matches(v, k)
	if fits {
		p.adopt(uint64(v))
	}
	return fits, err
}

// adopt notes that the engine has taken v ahead of its program.
func (p *Process) adopt(v uint64) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.dead {
		return
	}
	delete(p.orphans, v)
	p.adopted[v] = true
	bound := (p.w.transit + p.sending) * afterAccept
	for _, s := range p.w.sides {
		if s.holder == p {
			bound += s.bound
		}
	}
	for _, b := range p.w.boxes {
		if b.holder == p {
			bound += len(p.w.boxes) * afterAccept // for each link
		}
	}
	if n := len(p.adopted); n > bound {
		p.w.failLocked("adopted within the bound", "%s has adopted %d, and may %d", p.name, n, bound)
	}
}

// Took notes that the program has taken v.
func (p *Process) Took(v uintptr) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	delete(p.adopted, uint64(v))
}

// Dup is that of descriptor.Table.
func (p *Process) Dup(v uintptr, k descriptor.Kind) (uintptr, error) {
	p.pass(word("dup"))
	return p.Process.Dup(v, k)
}

// Close is that of descriptor.Table.
func (p *Process) Close(v uintptr, k descriptor.Kind) error {
	p.pass(word("close"))
	p.effect(func() { // nobody can pull it any more
		p.Took(v)
		p.Process.Close(v, k) // what is wrong with it is a fault
	})
	return nil
}

// String is how the trace names a process.
func (p *Process) String() string { return fmt.Sprintf("%s (%d)", p.name, p.pid) }
