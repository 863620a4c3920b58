// Command afunix-bench runs the transports of afunix side by side with what a program would use
// otherwise, and prints what it measured, beside what was aimed at. It never fails because
// something was slow.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"afunix/bench"
)

func main() {
	bench.RunPeer(os.Stderr)
	if runTraced() {
		return
	}
	o := options{}
	flag.IntVar(&o.plan.Rounds, "rounds", 41, "rounds in which each contender has one turn")
	flag.DurationVar(&o.plan.Batch, "batch", 10*time.Millisecond, "length of a turn")
	flag.IntVar(&o.idle, "idle", 1000, "idle connections to measure the memory of; 0 for none")
	flag.BoolVar(&o.calls, "calls", true, "count system calls, where that can be done")
	flag.Parse()
	if flag.NArg() > 0 || o.plan.Rounds < 1 || o.plan.Batch <= 0 || o.idle < 0 {
		fmt.Fprintln(os.Stderr, "afunix-bench: it takes options only, and none of them may be negative: see -help")
		os.Exit(2)
	}
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "afunix-bench:", err)
		os.Exit(1)
	}
}

type options struct {
	plan  bench.Plan
	idle  int
	calls bool
}

func (o options) run() error {
	dir, err := os.MkdirTemp("", "afunix-bench")
	if err != nil {
		return err
	}
	defer func() {
		if os.RemoveAll(dir) != nil {
			os.Remove(dir) // Wine 8 lacks what RemoveAll needs; there dir is empty by now
		}
	}()
	fmt.Printf("afunix on %s/%s, %s, %d CPUs\n", runtime.GOOS, runtime.GOARCH, runtime.Version(), runtime.NumCPU())
	fmt.Printf("%d rounds in which each contender has a turn of about %v; medians; ratios within a round, with quartiles\n\n",
		o.plan.Rounds, o.plan.Batch)
	for _, c := range bench.Contenders() {
		fmt.Printf("  %-9s %s\n", c.Name, c.About)
	}
	for _, p := range []placement{
		{"both ends in one process", true, bench.OneProcess},
		{"each end in a process of its own", false, twoProcesses(dir)},
	} {
		for _, w := range bench.Workloads {
			if err := o.compare(p, w); err != nil {
				return fmt.Errorf("%s, %s: %w", w.Title, p.title, err)
			}
		}
	}
	if err := printPackets(); err != nil {
		return err
	}
	if o.calls {
		if err := printCalls(dir); err != nil {
			return err
		}
	}
	if o.idle > 0 {
		return o.printIdle(dir)
	}
	return nil
}

// A placement says where the ends are.
type placement struct {
	title string
	whole bool // what is allocated is that of both ends
	start func(bench.Contender, bench.Workload) (*bench.Session, error)
}

func twoProcesses(dir string) func(bench.Contender, bench.Workload) (*bench.Session, error) {
	return func(c bench.Contender, w bench.Workload) (*bench.Session, error) {
		return bench.TwoProcesses(c, w, dir, func(address string) (*exec.Cmd, error) { return c.StartPeer(address) })
	}
}

// compare measures w with every contender, and prints a table.
func (o options) compare(p placement, w bench.Workload) (err error) {
	contenders := bench.Contenders()
	var sessions []*bench.Session
	defer func() {
		for _, s := range sessions {
			if closed := s.Close(); err == nil {
				err = closed
			}
		}
	}()
	for _, c := range contenders {
		s, err := p.start(c, w)
		if err != nil {
			return err
		}
		sessions = append(sessions, s)
	}
	samples, err := o.plan.Compare(sessions)
	if err != nil {
		return err
	}
	results := make([]result, len(contenders))
	for i, c := range contenders {
		results[i] = result{c.Name, samples[i]}
	}
	title := w.Title + ", " + p.title
	if w.Passed > 0 {
		title += passingNote[p.whole]
	}
	heading(title)
	printResults(w, p, results)
	return nil
}

// passingNote says what one operation is.
var passingNote = map[bool]string{
	true:  " (one goroutine sends, receives, closes)",
	false: " (the peer receives, closes, and answers with a byte)",
}

func heading(title string) {
	fmt.Printf("\n%s\n%s\n", title, strings.Repeat("─", len([]rune(title))))
}
