package sim

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var (
	seed  = flag.Int64("seed", -1, "run this seed only, and show its trace")
	seeds = flag.Int("seeds", 2000, "how many seeds to run")
	from  = flag.Uint64("from", 0, "the first of them")
	long  = flag.Bool("long", false, "show how far it has come")
)

// TestSeeds runs random worlds.
func TestSeeds(t *testing.T) {
	if *seed >= 0 {
		alwaysShow = true
		randomWorld(t, uint64(*seed))
		return
	}
	begun := time.Now()
	for i := range uint64(*seeds / stride) {
		randomWorld(t, *from+i)
		if t.Failed() {
			return
		}
		if *long && i%1000 == 999 {
			n := i + 1
			per := time.Since(begun) / time.Duration(n)
			left := per * time.Duration(uint64(*seeds)-n)
			fmt.Fprintf(os.Stderr, "\r%d of %d seeds, %v each, %v left   ", n, *seeds, per.Round(time.Microsecond), left.Round(time.Second))
		}
	}
}

func randomWorld(t *testing.T, seed uint64) {
	run(t, fmt.Sprintf("seed %d; again: make sim SEED=%d", seed, seed), seed, true, func(w *World) { w.Random(seed) })
}
