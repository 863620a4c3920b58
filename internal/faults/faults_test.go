//go:build linux || windows

package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

// A fault is a scenario in which something goes wrong, and what has to hold then.
type fault struct {
	name   string
	run    func(r *round) error
	weight int // how often TestSoak does it, while it does others once
}

// faults are all of them. A fault that a system does not have is skipped by name.
var faults = []fault{
	{"killed at a step", killAtSteps, 6},
	{"killed at a moment", killAtMoments, 3},
	{"suspended", suspendPeer, 1},
	{"24 threads", runStorm, 1},
	{"ten million bytes", stopReading, 1},
	{"out of descriptors", exhaustDescriptors, 1},
	{"no room for a socket file", fillDisk, 1},
	{"read-only directory", writeProtect, 1},
}

// A skip is why a fault cannot be had here.
type skip string

func (s skip) Error() string { return string(s) }

// A round is one go at a fault.
type round struct {
	transport afunix.Transport
	random    *rand.Rand
	before    counts // what this process had, and has to have again
	dir       string
	goods     *goods
	tally     *tally
	kills     int // how often the scenarios that kill do so, in each of their variants
	variants  int // how many of their variants they do; 0 means all
	names     int
}

// settle waits until this process has what it had before the round, but for what victims have left
// here.
func (r *round) settle() error {
	before := r.before
	before.descriptors += r.tally.orphans
	if err := before.settle(); err != nil {
		return fmt.Errorf("left behind: %w", err)
	}
	return nil
}

// path returns a path for a socket that was not used before.
func (r *round) path() string {
	r.names++
	return filepath.Join(r.dir, fmt.Sprintf("s%d", r.names))
}

// A tally is what has happened so far.
type tally struct {
	rounds, kills, descriptors int
	bytes                      int64
	steps                      map[string]int // the largest number of steps of a victim, for each variant
	orphans                    int            // left in this process by a sender that died before it had told
	bare                       int            // messages without their descriptors, whose sender died before it had heard of them
}

func newTally() *tally { return &tally{steps: make(map[string]int)} }

func (t *tally) String() string {
	return fmt.Sprintf("%d rounds, %d kills, %d descriptors and %d MB passed", t.rounds, t.kills,
		t.descriptors, t.bytes/1e6)
}

// newRound makes what every round needs.
func newRound(t *testing.T, ta *tally) *round {
	t.Helper()
	r := &round{dir: testenv.TempDir(t), tally: ta}
	var err error
	if r.goods, err = openGoods(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.goods.close)
	return r
}

// A little of everything, with counts that agree.
func TestFaults(t *testing.T) {
	for _, tr := range transports {
		for _, f := range faults {
			t.Run(tr.String()+"/"+f.name, func(t *testing.T) {
				if tr == afunix.PipeTransport {
					testenv.NeedPipeRights(t)
				}
				r := newRound(t, newTally())
				seed := rand.Uint64()
				r.transport, r.random, r.kills = tr, rand.New(rand.NewPCG(seed, 0)), killsInShort
				r.variants = variantsInShort
				var err error
				if r.before, err = countWarm(tr, r.goods); err != nil {
					t.Fatal(err)
				}
				err = f.run(r)
				if s := skip(""); errors.As(err, &s) {
					t.Skip(s)
				}
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if err := r.settle(); err != nil {
					t.Error(err)
				}
				t.Log(r.tally)
			})
		}
	}
}

// within expects that f returns before long.
func within(what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(2 * patience):
		return fmt.Errorf("%s does not return", what)
	}
}

// among expects that err is one of some.
func among(err error, allowed ...error) error {
	for _, a := range allowed {
		if errors.Is(err, a) {
			return nil
		}
	}
	return fmt.Errorf("%w; want one of %v", err, allowed)
}
