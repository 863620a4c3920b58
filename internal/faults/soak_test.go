//go:build linux || windows

package faults

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"afunix"
)

var (
	duration = flag.Duration("duration", 0, "repeat everything for so long: make soak")
	seed     = flag.Uint64("seed", 0, "of the random choices of TestSoak; 0 chooses one")
)

// A soak is all faults, again and again, in one process whose counts must stay what they were.
type soak struct {
	seed    uint64
	goods   *goods
	before  counts
	begun   time.Time
	shown   time.Time
	tally   *tally
	skipped map[string]bool
}

func TestSoak(t *testing.T) {
	if *duration == 0 {
		t.Skip("lasts as long as -duration says: make soak")
	}
	first := newRound(t, nil)
	s := &soak{seed: *seed, goods: first.goods, begun: time.Now(), tally: newTally(), skipped: make(map[string]bool)}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	for _, tr := range transports {
		var err error
		if s.before, err = countWarm(tr, s.goods); err != nil {
			t.Fatal(err)
		}
	}
	for time.Since(s.begun) < *duration {
		if err := s.pass(first.dir); err != nil {
			t.Errorf("seed %d, round %d: %v", s.seed, s.tally.rounds, err)
			break
		}
	}
	s.report()
}

// pass goes at each fault over each transport as often as it weighs, in some order.
func (s *soak) pass(dir string) error {
	random := rand.New(rand.NewPCG(s.seed, uint64(s.tally.rounds)))
	type turn struct {
		fault
		tr afunix.Transport
	}
	var turns []turn
	for _, f := range faults {
		for _, tr := range transports {
			turns = append(turns, slices.Repeat([]turn{{f, tr}}, f.weight)...)
		}
	}
	random.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	for _, t := range turns {
		if time.Since(s.begun) > *duration {
			return nil
		}
		r := &round{transport: t.tr, random: random, before: s.before, dir: dir, goods: s.goods, tally: s.tally,
			kills: killsInSoak, variants: 1, names: s.tally.rounds * 1000}
		if err := s.round(r, t.fault); err != nil {
			return fmt.Errorf("%v, %s: %w", t.tr, t.name, err)
		}
	}
	return nil
}

// round goes at one fault, after which nothing may be left.
func (s *soak) round(r *round, f fault) error {
	err := f.run(r)
	if why := skip(""); errors.As(err, &why) {
		s.skipped[f.name+": "+string(why)] = true
		return nil
	}
	if err == nil {
		err = r.settle()
	}
	s.tally.rounds++
	s.progress()
	return err
}

// progress prints a line now and then.
func (s *soak) progress() {
	if time.Since(s.shown) < 10*time.Second {
		return
	}
	s.shown = time.Now()
	now, err := count()
	fmt.Printf("%v: %v; now %v (before: %v) %v\n", time.Since(s.begun).Round(time.Second), s.tally, now, s.before, err)
}

// report prints the final figures.
func (s *soak) report() {
	now, err := count()
	fmt.Printf("\n%v, seed %d\n%v\nbefore: %v\nafter:  %v %v\n",
		time.Since(s.begun).Round(time.Second), s.seed, s.tally, s.before, now, err)
	fmt.Printf("%d of the descriptors here were left by senders that died before they had told; %d messages came without their descriptors, "+
		"of senders that died while they sent\n", s.tally.orphans, s.tally.bare)
	for _, v := range slices.Sorted(maps.Keys(s.tally.steps)) {
		fmt.Printf("%4d steps: %s\n", s.tally.steps[v], v)
	}
	for _, why := range slices.Sorted(maps.Keys(s.skipped)) {
		fmt.Println("not here:", why)
	}
}
