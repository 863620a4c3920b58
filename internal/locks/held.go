//go:build afunix_locks

package locks

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// A holding is one lock that a goroutine holds, or waits for.
type holding struct {
	mutex any
	*rule
	where [16]uintptr // who took it
	depth int
}

// A rule is a Lock with its place in the order.
type rule struct {
	Lock
	place int
}

var rules = func() map[Class]*rule {
	all := make(map[Class]*rule)
	for i, l := range Order() {
		all[l.Class] = &rule{l, i}
	}
	return all
}()

// A page has what a goroutine holds, in the order in which it was taken. It is read and written by
// the goroutine alone, and stays for the next one: so a lock allocates nothing.
type page struct {
	held   []holding
	caller [1]uintptr // for waiting
}

var book = struct {
	sync.Mutex
	pages map[uintptr]*page
}{pages: make(map[uintptr]*page)}

// mine returns the page of this goroutine.
func mine() *page {
	g := goroutine()
	book.Lock()
	defer book.Unlock()
	p, ok := book.pages[g]
	if !ok {
		p = new(page)
		book.pages[g] = p
	}
	return p
}

// taking writes down that this goroutine takes a mutex, and panics if that is against the order.
// It is called before the goroutine waits for the mutex, so that no deadlock hides the fault.
func taking[C Class](mutex any) {
	var c C
	p := mine()
	before := p.held
	p.held = append(before, holding{mutex: mutex, rule: rules[c]})
	h := &p.held[len(before)]
	h.depth = runtime.Callers(3, h.where[:])
	if problem := check(before, h); problem != "" {
		freeing[C](mutex) // deferred calls of Unlock go on
		panic(problem)
	}
}

// check says what is wrong with taking h under what is held: "" if nothing is.
func check(held []holding, h *holding) string {
	if len(held) == 0 {
		return ""
	}
	begin := anew(held)
	for i := range held {
		o := &held[i]
		switch {
		case o.mutex == h.mutex:
			return o.complain("%s is taken twice by one goroutine: a function that is called under it must not lock it.", h.Name)
		case i < begin: // only Long locks, and the order begins from its top
		case o.Leaf:
			return o.complain("%s is taken under %s, which is a Leaf: nothing is taken under it.", h.Name, o.Name)
		case h.place == o.place:
			return o.complain("two of %s are held by one goroutine: free one before the other is taken.", h.Name)
		case h.place < o.place:
			return o.complain("%s is taken under %s, but comes first in the order. Take it first, or do what needs it once %s is free.",
				h.Name, o.Name, o.Name)
		}
	}
	return ""
}

// anew returns from which index of held on the order holds: after the last lock that lets it begin
// from its top, if everything up to there is Long.
func anew(held []holding) int {
	begin := 0
	for i := range held {
		if !held[i].Long {
			break
		}
		if held[i].Anew {
			begin = i + 1
		}
	}
	return begin
}

// MayWait says that the caller is about to wait, or to make a call of the system on a pipe. The
// caller holds no lock that is not Long.
func MayWait() {
	if problem := hasty(mine().held, "a call of a pipe, or another that may wait,"); problem != "" {
		panic(problem)
	}
}

// hasty says which of the locks held forbids to wait.
func hasty(held []holding, what string) string {
	i := slices.IndexFunc(held, brief)
	if i < 0 {
		return ""
	}
	return held[i].complain("%s is made under %s, which is not Long: do it once that is free.", what, held[i].Name)
}

// freeing writes down that this goroutine gives a mutex back. It panics if the goroutine has not
// taken the mutex. It also panics if the goroutine is about to wait on a condition of the mutex
// under another mutex that forbids this.
func freeing[C Class](mutex any) {
	var c C
	p := mine()
	i := slices.IndexFunc(p.held, func(h holding) bool { return h.mutex == mutex })
	if i < 0 {
		panic(fmt.Sprintf("locks: %s is unlocked by a goroutine that does not hold it.", rules[c].Name))
	}
	given := p.held[i]
	p.held = slices.Delete(p.held, i, i+1)
	if slices.ContainsFunc(p.held, brief) && p.waiting() {
		problem := hasty(p.held, "a wait on a condition of "+given.Name)
		p.held = append(p.held, given) // the mutex is still locked
		panic(problem)
	}
}

func brief(h holding) bool { return !h.Long }

// waiting reports whether the caller's Unlock is called by the Wait of a sync.Cond.
func (p *page) waiting() bool {
	return runtime.Callers(4, p.caller[:]) == 1 && runtime.FuncForPC(p.caller[0]-1).Name() == "sync.(*Cond).Wait"
}

// complain is what to say about what is done while h is held. Where h was taken is added; where
// this is done is in the trace of the panic.
func (h *holding) complain(format string, args ...any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "locks: "+format, args...)
	fmt.Fprintf(&b, " The order is in internal/locks/order.go.\n%s was taken here:\n", h.Name)
	frames := runtime.CallersFrames(h.where[:h.depth])
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "\t%s\n\t\t%s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}
