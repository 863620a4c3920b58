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

// A World is one run: its processes, its pipes, and what is to go wrong. All of it lives in one
// bubble.
type World struct {
	Windows bool // handles can be pushed, and sockets are exported
	strict  bool // no value of a descriptor is given twice
	Moves   bool // ends move: see the package's comment
	Coarse  bool // … and only reads and the programs' calls are gates

	rng    *rand.Rand
	faults map[int][]Fault // what happens before which step
	begun  time.Time

	kept *store // guarded by mu

	mu      locks.Mutex[locks.SimWorld] // comes after that of simproc, and is not held when that is called
	procs   []*Process
	pipes   []*messagePipe
	waiting []*waiter
	spare   []*waiter // nobody waits at these
	ready   []*waiter // of choose
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
	calls   []*call                    // that programs make at sides
}

// init makes it an empty one. The seed decides who goes first.
func (w *World) init(seed uint64, windows bool) {
	w.Windows = windows
	w.rng = rand.New(rand.NewPCG(seed, 5))
	w.faults = make(map[int][]Fault)
	w.begun = time.Now()
	w.kept = stores.Get().(*store)
	clear(w.kept.trace)
	w.trace = w.kept.trace[:0]
	w.running = make(map[string]int)
	w.lives = make(map[*Side]*life)
	w.home = make(map[*simproc.File]*Message)
	w.names = make(map[string]*port)
}

// take returns room for n bytes of the books.
func (w *World) take(n int) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept.take(n)
}

// keep returns a copy of b for the books.
func (w *World) keep(b []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept.keep(b)
}

// forget gives up the books, and the trace when the next world begins. Nobody of the world is left.
func (w *World) forget() {
	w.kept.trace = w.trace
	w.kept.empty()
	stores.Put(w.kept)
}

// An event is a line of the trace.
type event struct {
	at   time.Duration
	who  string
	what what
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
func (w *World) note(who string, does what) {
	w.trace = append(w.trace, event{time.Since(w.begun), who, does, w.steps})
}

// Note adds a line to the trace.
func (w *World) Note(who, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(who, word(text))
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
	w.note("CHECK", word(text))
}

// step is one operation of p. What is to go wrong before it, does.
func (w *World) step(p *Process, does what) {
	w.mu.Lock()
	w.steps++
	w.note(p.name, does)
	faults := w.faults[w.steps]
	w.mu.Unlock()
	for _, f := range faults {
		f.happen(w)
	}
}

// A waiter is a goroutine at a gate.
type waiter struct {
	p     *Process
	what  what
	text  string      // what in words, once it has been asked for
	ready func() bool // asked with World.mu held
	open  chan struct{}
}

// words is what the waiter is about to do.
func (x *waiter) words() string {
	if x.text == "" {
		x.text = x.what.String()
	}
	return x.text
}

// gate waits until the scheduler lets p go on, once ready. It must not be called with a lock that
// others wait for.
func (w *World) gate(p *Process, does what, ready func() bool) {
	w.mu.Lock()
	x := w.waiter()
	x.p, x.what, x.text, x.ready = p, does, "", ready
	w.waiting = append(w.waiting, x)
	w.mu.Unlock()
	<-x.open
	w.mu.Lock()
	w.spare = append(w.spare, x)
	w.mu.Unlock()
}

// waiter returns one that has been let through. The caller holds mu.
func (w *World) waiter() *waiter {
	last := len(w.spare) - 1
	if last < 0 {
		return &waiter{open: make(chan struct{}, 1)}
	}
	x := w.spare[last]
	w.spare = w.spare[:last]
	return x
}

// always is ready.
func always() bool { return true }

// Step is a gate of a program of p: it does its next thing when the scheduler says so. It reports
// whether p lives.
func (w *World) Step(p *Process, does what) (alive bool) { return w.stepWhen(p, does, always) }

// stepWhen is Step, once ready.
func (w *World) stepWhen(p *Process, does what, ready func() bool) (alive bool) {
	w.gate(p, does, ready)
	w.step(p, does)
	return !p.Dead()
}

// says is a Step of whoever has a socket of that name.
func (w *World) says(p *Process, name, text string) (alive bool) {
	return w.Step(p, &said{name: name, text: text})
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
		deepen(0)
		f()
	}()
}

// patience is how long nothing may happen before those who wait are taken to wait for ever. Nothing
// in the engine, and no suspension, takes so long.
const patience = 10 * time.Minute

// Run lets everything happen, until all that Go has started has ended: at least that much virtual
// time. It reports whether nobody waits for ever.
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
			x.open <- struct{}{}
			continue
		case over && !time.Now().Before(deadline):
			return true
		case idle > patience && (w.sweep() || w.part()):
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

// choose takes a goroutine that can go on, if there is one, from its gate, and reports whether all
// have ended.
func (w *World) choose() (x *waiter, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ready := w.ready[:0]
	for _, x := range w.waiting {
		if x.p.dead || !x.p.suspended && x.ready() {
			ready = append(ready, x)
		}
	}
	w.ready = ready
	if len(ready) == 0 {
		return nil, len(w.running) == 0
	}
	// The order in which they came to their gates is not the seed's.
	slices.SortStableFunc(ready, func(a, b *waiter) int {
		if a.p != b.p {
			return cmp.Compare(a.p.number, b.p.number)
		}
		return cmp.Compare(a.words(), b.words())
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
func (w *World) letThrough(p *Process, does what) {
	w.waiting = slices.DeleteFunc(w.waiting, func(x *waiter) bool {
		through := x.p == p && x.what == does && x.ready()
		if through {
			x.open <- struct{}{}
		}
		return through
	})
}
