//go:build linux || windows

package faults

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"afunix"
	"afunix/internal/leaktest"
)

// counts are what a process has at one time.
type counts struct {
	descriptors int // on Windows handles, without those of the runtime's threads: see package leaktest
	goroutines  int
	threads     int
	memory      uint64 // what the heap and the stacks hold once all garbage is gone
}

// By how much counts may differ of a process that does the same as before. The runtime keeps
// threads that it once needed, and memory comes with the buffers of goroutines that are just about
// to end.
const (
	threadSlack = 24
	memorySlack = 2 << 20
)

func count() (c counts, err error) {
	runtime.GC() // empties what sync.Pools hold, the second time
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.memory, c.goroutines = m.HeapAlloc+m.StackInuse, runtime.NumGoroutine()
	if c.descriptors, err = leaktest.Descriptors(); err != nil {
		return c, err
	}
	c.threads, err = threads()
	return c, err
}

// countWarm counts once everything is open that is opened once and kept.
func countWarm(tr afunix.Transport, g *goods) (counts, error) {
	a, b, err := tr.Pair("unix")
	if err != nil {
		return counts{}, err
	}
	defer a.Close()
	defer b.Close()
	if err := g.send(a, 0, 1, 1); err != nil {
		return counts{}, err
	}
	if _, err := receive(b); err != nil {
		return counts{}, err
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		return counts{}, err
	}
	return count()
}

// agree reports whether now is like c. Of descriptors there may be neither more nor fewer, as far
// as they can be counted (handleSlack).
func (c counts) agree(now counts) bool {
	off := now.descriptors - c.descriptors
	return -handleSlack <= off && off <= handleSlack && now.goroutines <= c.goroutines &&
		now.threads <= c.threads+threadSlack &&
		now.memory <= c.memory+memorySlack
}

// settle waits until this process has what it had when c was counted: copies that are parked, and
// goroutines, may end a little after the call that used them. A connection that was closed while
// its peer was suspended lingers for five seconds.
func (c counts) settle() error {
	give := time.After(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		now, err := count()
		if err != nil || c.agree(now) {
			return err
		}
		select {
		case <-give:
			stacks := make([]byte, 1<<16)
			return fmt.Errorf("now: %v; before: %v\n%s", now, c, stacks[:runtime.Stack(stacks, true)])
		case <-again.C:
		}
	}
}

func (c counts) String() string {
	return fmt.Sprintf("%d descriptors, %d goroutines, %d threads, %d KiB", c.descriptors,
		c.goroutines, c.threads, c.memory>>10)
}
