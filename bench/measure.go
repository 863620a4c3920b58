package bench

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// A Sample is one batch of operations.
type Sample struct {
	Time    time.Duration // per operation
	Mallocs float64       // objects allocated per operation, in this process
	Bytes   float64       // and their size
}

// take runs one batch.
func take(s *Session, n int) (Sample, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := s.Run(n)
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	return Sample{
		Time:    elapsed / time.Duration(n),
		Mallocs: float64(after.Mallocs-before.Mallocs) / float64(n),
		Bytes:   float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, err
}

// Plan says how much is measured.
type Plan struct {
	Rounds int           // how often each contender has its turn
	Batch  time.Duration // how long a turn takes, about
}

// Compare runs the sessions in turn, one batch each and round by round, each round in the opposite
// order of the one before, so that whatever else the machine does meets all of them alike. The
// samples are by session, then by round.
func (p Plan) Compare(sessions []*Session) ([][]Sample, error) {
	sizes := make([]int, len(sessions))
	for i, s := range sessions {
		var err error
		if sizes[i], err = p.size(s); err != nil {
			return nil, err
		}
	}
	samples := make([][]Sample, len(sessions))
	for round := range p.Rounds {
		for i := range sessions {
			if round%2 == 1 {
				i = len(sessions) - 1 - i
			}
			s, err := take(sessions[i], sizes[i])
			if err != nil {
				return nil, fmt.Errorf("session %d: %w", i, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

// size finds how many operations take as long as a batch should, and so warms the session up.
func (p Plan) size(s *Session) (int, error) {
	for n := 1; ; {
		start := time.Now()
		if err := s.Run(n); err != nil {
			return 0, err
		}
		elapsed := max(time.Since(start), time.Microsecond)
		if elapsed >= p.Batch/2 {
			return max(1, int(float64(n)*float64(p.Batch)/float64(elapsed))), nil
		}
		n *= int(min(100, 1+p.Batch/elapsed))
	}
}

// Median returns the middle one of the values of each sample.
func Median(samples []Sample, of func(Sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return quantile(values, 0.5)
}

// Time is what Median can be asked for, in nanoseconds.
func Time(s Sample) float64 { return float64(s.Time) }

// Mallocs is what Median can be asked for, in objects.
func Mallocs(s Sample) float64 { return s.Mallocs }

// Bytes is what Median can be asked for: how much was allocated.
func Bytes(s Sample) float64 { return s.Bytes }

// A Ratio compares the times of two sessions that were run side by side: the quartiles of the
// ratios within each round.
type Ratio struct{ Low, Median, High float64 }

// Compared returns how many times the time of b is that of a.
func Compared(a, b []Sample) Ratio {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = float64(a[i].Time) / float64(b[i].Time)
	}
	return Ratio{quantile(ratios, 0.25), quantile(ratios, 0.5), quantile(ratios, 0.75)}
}

// Inverse returns the ratio of the speeds.
func (r Ratio) Inverse() Ratio { return Ratio{1 / r.High, 1 / r.Median, 1 / r.Low} }

// quantile interpolates between the values, which it sorts.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	at := q * float64(len(values)-1)
	i := int(at)
	if i+1 == len(values) {
		return values[i]
	}
	return values[i] + (at-float64(i))*(values[i+1]-values[i])
}
