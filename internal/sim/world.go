package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"afunix/internal/locks"
	"afunix/internal/simproc"
)

// A World is one run: its processes, its pipes, and what is to go wrong. All of it lives in one bubble.
type World struct {
	Windows bool // handles can be pushed, and sockets are exported
	strict  bool // no value of a descriptor is given twice
	Coarse  bool // only reads and the programs' calls are gates: see the package's comment, and Run

	rng    *rand.Rand
	faults map[int][]Fault // what happens before which step
	begun  time.Time

	mu      locks.Mutex[locks.SimWorld] // comes after that of simproc, and is not held when that is called
	procs   []*Process
	pipes   []*messagePipe
	waiting []*waiter
	steps   int
	trace   []event
	stacks  []string       // of those who wait for ever
	running map[string]int // calls and goroutines of the programs, which have to end
	bad     []string
	sides   []*Side
	transit int // ends that are under way, with what is in their queues
	boxes   []*Box
	names   map[string]*port
	lives   map[*Side]*life
	home    map[*simproc.File]*Message // of each descriptor that was sent
	graves  []*Process                 // dead or exiting, and not buried
}

// init makes it an empty one. The seed decides who goes first.
func (w *World) init(seed uint64, windows bool) {
	w.Windows = windows
	w.rng = rand.New(rand.NewPCG(seed, 5))
	w.faults = make(map[int][]Fault)
	w.begun = time.Now()
	w.running = make(map[string]int)
	w.lives = make(map[*Side]*life)
	w.home = make(map[*simproc.File]*Message)
	w.names = make(map[string]*port)
}

// An event is a line of the trace.
type event struct {
	at   time.Duration
	who  string
	what string
	n    int
}

func (e event) String() string {
	return fmt.Sprintf("%6d %12v %-9s %s", e.n, e.at, e.who, e.what)
}

// Show writes what has happened.
func (w *World) Show(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.trace {
		fmt.Fprintln(os.Stderr, e)
	}
	for _, s := range w.stacks {
		fmt.Fprintf(os.Stderr, "%s\n\n", s)
	}
	fmt.Fprintln(os.Stderr, name)
}

// Steps returns how many there have been.
func (w *World) Steps() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.steps
}

// note adds a line to the trace. The caller holds mu.
func (w *World) note(who, what string) {
	w.trace = append(w.trace, event{time.Since(w.begun), who, what, w.steps})
}

// Note adds a line to the trace.
func (w *World) Note(who, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(who, what)
}

// fail notes that a check has failed. Its name comes first: docs/SIMULATION.md lists them.
func (w *World) fail(check, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failLocked(check, format, args...)
}

func (w *World) failLocked(check, format string, args ...any) {
	text := check + ": " + fmt.Sprintf(format, args...)
	w.bad = append(w.bad, text)
	w.note("CHECK", text)
}

// step is one operation of p. What is to go wrong before it, does.
func (w *World) step(p *Process, what string) {
	w.mu.Lock()
	w.steps++
	w.note(p.name, what)
	faults := w.faults[w.steps]
	w.mu.Unlock()
	for _, f := range faults {
		f.happen(w)
	}
}

// A waiter is a goroutine at a gate.
type waiter struct {
	p     *Process
	what  string
	ready func() bool // asked with World.mu held
	open  chan struct{}
}

// gate waits until the scheduler lets p go on, once ready. It must not be called with a lock that others wait for.
func (w *World) gate(p *Process, what string, ready func() bool) {
	x := &waiter{p: p, what: what, ready: ready, open: make(chan struct{})}
	w.mu.Lock()
	w.waiting = append(w.waiting, x)
	w.mu.Unlock()
	<-x.open
}

// always is ready.
func always() bool { return true }

// Step is a gate of a program of p: it does its next thing when the scheduler says so. It reports whether p lives.
func (w *World) Step(p *Process, what string) (alive bool) {
	w.gate(p, what, always)
	w.step(p, what)
	return !p.Dead()
}

// Go runs f, which has to end.
func (w *World) Go(what string, f func()) {
	w.mu.Lock()
	w.running[what]++
	w.mu.Unlock()
	go func() {
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.running[what]--; w.running[what] == 0 {
				delete(w.running, what)
			}
		}()
		f()
	}()
}

// patience is how long nothing may happen before those who wait are taken to wait for ever. Nothing in the engine, and no
// suspension, takes so long.
const patience = 10 * time.Minute

// Run lets everything happen, until all that Go has started has ended: at least that much virtual time. It reports whether
// nobody waits for ever.
func (w *World) Run(least time.Duration) bool {
	deadline := time.Now().Add(least)
	for idle := time.Duration(0); ; {
		synctest.Wait()
		w.bury()
		x, over := w.choose()
		switch {
		case x != nil:
			idle = 0
			if w.rng.IntN(32) == 0 { // time passes though somebody could go on
				time.Sleep(time.Duration(w.rng.IntN(int(8 * time.Millisecond))))
			}
			close(x.open)
			continue
		case over && !time.Now().Before(deadline):
			return true
		case idle > patience && w.sweep():
			idle = 0
		case idle > patience:
			w.stuck()
			return false
		}
		nap := min(max(idle/2, time.Millisecond), 10*time.Second)
		idle += nap
		time.Sleep(nap)
	}
}

// choose takes a goroutine that can go on, if there is one, from its gate, and reports whether all have ended.
func (w *World) choose() (x *waiter, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ready []*waiter
	for _, x := range w.waiting {
		if x.p.dead || !x.p.suspended && x.ready() {
			ready = append(ready, x)
		}
	}
	if len(ready) == 0 {
		return nil, len(w.running) == 0
	}
	// The order in which they came to their gates is not the seed's.
	slices.SortStableFunc(ready, func(a, b *waiter) int {
		return cmp.Or(cmp.Compare(a.p.number, b.p.number), cmp.Compare(a.what, b.what))
	})
	x = ready[w.rng.IntN(len(ready))]
	w.waiting = slices.DeleteFunc(w.waiting, func(y *waiter) bool { return x == y })
	return x, false
}

// stuck notes who waits for ever.
func (w *World) stuck() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for what, n := range w.running {
		w.failLocked("waits for ever", "%s (%d)", what, n)
	}
	stacks := make([]byte, 1<<20)
	for _, s := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(s, "synctest bubble") {
			w.stacks = append(w.stacks, s)
		}
	}
}

// letThrough opens the gates of p whose waiters are what and ready. The caller holds mu.
func (w *World) letThrough(p *Process, what string) {
	w.waiting = slices.DeleteFunc(w.waiting, func(x *waiter) bool {
		through := x.p == p && x.what == what && x.ready()
		if through {
			close(x.open)
		}
		return through
	})
}
