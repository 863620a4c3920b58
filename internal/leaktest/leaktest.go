// Package leaktest makes tests fail that leave a goroutine or an open descriptor behind. It is for
// tests only.
//
// A descriptor is a file descriptor on Unix and a handle on Windows. What the runtime itself opens
// is not counted: see the files for each system. Counting is for the whole process, so tests that
// use [Check] or [Descriptors] must not run in parallel with others.
package leaktest

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A snapshot is what this process has open at one time.
type snapshot struct {
	// open has every descriptor that can be told apart from the runtime's, ascending.
	open []uintptr
	// anonymous is the number of further descriptors that look as if they were the runtime's,
	// beyond what it needs. Only Windows has such.
	anonymous int
}

func (s snapshot) len() int { return len(s.open) + s.anonymous }

// since returns those descriptors of s that were not open in before, each with a text, as far as
// they can be named.
func (s snapshot) since(before snapshot) []string {
	var leaked []string
	for _, d := range s.open {
		if _, was := slices.BinarySearch(before.open, d); !was {
			leaked = append(leaked, describe(d))
		}
	}
	for range s.anonymous - before.anonymous {
		leaked = append(leaked, "an unnamed descriptor like those that the runtime makes")
	}
	return leaked
}

// Main is the body of a TestMain: it runs the tests and ends the process. If all of them passed,
// but left a goroutine or a descriptor behind, it lists those on standard error and exits with
// status 1. A test binary that starts itself as a second process branches off before it calls Main.
func Main(m *testing.M) {
	os.Exit(run(m.Run, os.Stderr))
}

// run returns the exit status for the tests that tests runs.
func run(tests func() int, stderr io.Writer) int {
	before, err := baseline()
	if err != nil {
		fmt.Fprintln(stderr, "leaktest:", err)
		return 1
	}
	goroutines := goleak.IgnoreCurrent()
	if status := tests(); status != 0 {
		return status // what a failed test left behind says nothing
	}
	status := 0
	if err := goleak.Find(goroutines); err != nil {
		fmt.Fprintln(stderr, "leaktest: goroutines left behind:", err)
		status = 1
	}
	leaked, err := settle(before)
	if err != nil {
		fmt.Fprintln(stderr, "leaktest:", err)
		return 1
	}
	if len(leaked) > 0 {
		fmt.Fprintf(stderr, "leaktest: descriptors left behind: %d\n\t%s\n", len(leaked), strings.Join(leaked, "\n\t"))
		status = 1
	}
	return status
}

// Descriptors returns how many descriptors this process has open now. Only differences mean
// something.
func Descriptors() (int, error) {
	if err := warmUp(); err != nil {
		return 0, err
	}
	now, err := take()
	return now.len(), err
}

// Check makes t fail if, once it and its other cleanups are done, it has left a descriptor open.
// Call it first.
func Check(t testing.TB) {
	t.Helper()
	before, err := baseline()
	if err != nil {
		t.Fatal("leaktest:", err)
	}
	t.Cleanup(func() {
		leaked, err := settle(before)
		if err != nil {
			t.Error("leaktest:", err)
		}
		for _, d := range leaked {
			t.Error("leaktest: left open:", d)
		}
	})
}

// baseline is a snapshot from which later ones may only differ by leaks: with everything open that
// the runtime opens on first use, and without what is about to be closed because it is garbage.
func baseline() (snapshot, error) {
	if err := warmUp(); err != nil {
		return snapshot{}, err
	}
	runtime.GC() // finds what is garbage, whose finalizers and cleanups then run on another goroutine
	runtime.GC()
	return take()
}

// patience is how long settle waits for descriptors that are being closed by another goroutine or
// process. The tests of this package, which leak on purpose, have less.
var patience = 5 * time.Second

// settle waits until nothing is open that was not open before, for as long as patience lasts, and
// returns what still is.
func settle(before snapshot) ([]string, error) {
	give := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		now, err := take()
		if err != nil {
			return nil, err
		}
		leaked := now.since(before)
		if len(leaked) == 0 {
			return nil, nil
		}
		select {
		case <-give:
			return leaked, nil
		case <-again.C:
			runtime.GC()
		}
	}
}
