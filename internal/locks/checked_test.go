//go:build afunix_locks

package locks

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// Each entry breaks the order, and is told what with.
func TestComplaints(t *testing.T) {
	var conn, other Mutex[Session]
	var listener Mutex[Listener]
	var peer Mutex[PipePeer]
	var reading Mutex[Reading]
	var set Mutex[Set]
	var using RWMutex[ForeignUsing]
	for _, c := range []struct {
		name string
		do   func()
		want string
	}{
		{"against the order", func() { under(&conn, func() { listener.Lock() }) },
			"endpoint.door.mu is taken under endpoint.session.mu, but comes first in the order"},
		{"two of a class", func() { under(&conn, func() { other.Lock() }) }, "two of endpoint.session.mu are held"},
		{"itself", func() { under(&conn, func() { conn.Lock() }) }, "endpoint.session.mu is taken twice"},
		{"a reader twice", func() { under(readers{&using}, using.RLock) }, "winpipe.foreign.using is taken twice"},
		{"under a leaf", func() { under(&peer, func() { new(Mutex[Heir]).Lock() }) }, "which is a Leaf"},
		{"a call of a pipe", func() { under(&conn, MayWait) }, "is made under endpoint.session.mu, which is not Long"},
		{"a wait under another lock", func() { under(&listener, func() { waitOn(&conn) }) },
			"a wait on a condition of endpoint.session.mu is made under endpoint.door.mu"},
		{"a set's end under a connection", func() { under(&conn, func() { under(&set, func() { other.Lock() }) }) },
			"two of endpoint.session.mu are held"},
		{"a stranger unlocks", conn.Unlock, "endpoint.session.mu is unlocked by a goroutine that does not hold it"},
		{"nothing", func() { under(&reading, func() { under(&conn, func() {}); MayWait() }) }, ""},
		{"ends in a set that was read", func() {
			under(&reading, func() { under(&set, func() { under(new(Mutex[Reading]), func() { under(&other, func() {}) }) }) })
		}, ""},
		{"a wait", func() { under(&reading, func() { waitOn(&conn) }) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			said := complaint(c.do)
			if c.want == "" && said != "" || !strings.Contains(said, c.want) {
				t.Errorf("it says %q, want %q", said, c.want)
			}
			if strings.Contains(said, "taken here") && !strings.Contains(said, "locks.under") {
				t.Errorf("it does not say who took the other one: %s", said)
			}
			if held := mine().held; len(held) > 0 {
				t.Errorf("held afterwards: %v", held)
			}
		})
	}
}

// Tests that count allocations count none of the book's.
func TestLocksAllocateNothing(t *testing.T) {
	var reading Mutex[Reading]
	var listener Mutex[Listener]
	var conn Mutex[Session]
	allocated := testing.AllocsPerRun(100, func() {
		under(&reading, func() { MayWait(); under(&listener, func() { under(&conn, func() {}) }) })
	})
	if allocated > 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func under(l sync.Locker, do func()) {
	l.Lock()
	defer l.Unlock()
	do()
}

// waitOn waits on a condition of l until somebody calls.
func waitOn(l sync.Locker) {
	cond := sync.NewCond(l)
	done := make(chan struct{})
	defer func() { <-done }()
	l.Lock()
	defer l.Unlock()
	called := false
	go func() {
		defer close(done)
		l.Lock()
		defer l.Unlock()
		called = true
		cond.Broadcast()
	}()
	for !called {
		cond.Wait()
	}
}

func complaint(do func()) (said string) {
	defer func() {
		if p := recover(); p != nil {
			said = fmt.Sprint(p)
		}
	}()
	do()
	return ""
}

// What a goroutine holds is its own, and a Wait in a bubble ends as usual.
func TestGoroutinesHoldTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conn, other Mutex[Session]
		under(&conn, func() {
			done := make(chan struct{})
			go func() {
				defer close(done)
				under(&other, func() {})
			}()
			<-done
		})
		waitOn(&conn)
	})
}

// readers lock for reading.
type readers struct{ *RWMutex[ForeignUsing] }

func (r readers) Lock()   { r.RLock() }
func (r readers) Unlock() { r.RUnlock() }
