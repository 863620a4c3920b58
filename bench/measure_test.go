package bench

import (
	"testing"
	"time"
)

func TestRatioIsTakenWithinEachRound(t *testing.T) {
	times := func(micros ...int) (samples []Sample) {
		for _, n := range micros {
			samples = append(samples, Sample{Time: time.Duration(n) * time.Microsecond})
		}
		return samples
	}
	// The machine was ten times as slow in the second round, and in the third one disturbed the
	// first contender.
	a, b := times(20, 200, 90, 20, 20), times(10, 100, 10, 10, 10)
	if r := Compared(a, b); r != (Ratio{2, 2, 2}) {
		t.Errorf("ratio %v, want 2 in all quartiles", r)
	}
	if r := Compared(a, b).Inverse(); r != (Ratio{0.5, 0.5, 0.5}) {
		t.Errorf("inverse %v, want 0.5 in all quartiles", r)
	}
	if m := Median(a, Time); m != 20_000 {
		t.Errorf("median %v ns, want 20000", m)
	}
}
