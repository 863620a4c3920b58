package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"afunix/bench"
)

// A result is what was measured of one contender.
type result struct {
	name    string
	samples []bench.Sample
}

// A target is what is aimed at: information, never a reason to fail.
type target struct {
	workload, contender, against string
	limit                        float64
	speed                        bool // the limit is the least ratio of the speeds; else the largest one of the times
}

var targets = []target{
	{"roundtrip64", bench.Pipe, bench.Kernel, 1.3, false},
	{"write64k", bench.Pipe, bench.Kernel, 0.75, true},
	{"roundtrip64", bench.Kernel, bench.Net, 1.05, false},
	{"write64k", bench.Kernel, bench.Net, 1 / 1.05, true},
	{"pass1", bench.Kernel, bench.Net, 1.05, false},
	{"pass253", bench.Kernel, bench.Net, 1.05, false},
	{"roundtrip64", bench.Pipe, bench.Winio, 1, false},
	{"write64k", bench.Pipe, bench.Winio, 1, true},
}

// met judges the ratio of the speeds, or of the times.
func (t target) met(ratio float64) string {
	sign, good := "≤", ratio <= t.limit
	if t.speed {
		sign, good = "≥", ratio >= t.limit
	}
	verdict := "missed"
	if good {
		verdict = "met"
	}
	return fmt.Sprintf("%s %.2f × %s: %s", sign, t.limit, t.against, verdict)
}

// references are the contenders that the others are compared with, where they take part.
var references = []string{bench.Net, bench.Kernel, bench.Winio, bench.Bare}

func newTable() *tabwriter.Writer {
	return tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
}

// row writes one row. The remark, which may be empty, is no column.
func row(to io.Writer, remark string, cells ...string) {
	if remark != "" {
		remark = "  " + remark
	}
	fmt.Fprintf(to, "%s\t%s\n", strings.Join(cells, "\t"), remark)
}

func printResults(w bench.Workload, p placement, results []result) {
	byName := map[string][]bench.Sample{}
	for _, r := range results {
		byName[r.name] = r.samples
	}
	kind := "time"
	if w.Bytes > 0 {
		kind = "speed"
	}
	head := []string{"", "time"}
	if w.Bytes > 0 {
		head = append(head, "MB/s")
	}
	for _, reference := range references {
		if byName[reference] != nil {
			head = append(head, kind+" ÷ "+reference)
		}
	}
	allocated := "objects, bytes/op"
	if !p.whole {
		allocated += " (driver's)"
	}
	table := newTable()
	row(table, "aimed at", append(head, allocated)...)
	for _, r := range results {
		cells := []string{r.name, duration(bench.Median(r.samples, bench.Time))}
		if w.Bytes > 0 {
			cells = append(cells, fmt.Sprintf("%.0f", float64(w.Bytes)*1e3/bench.Median(r.samples, bench.Time)))
		}
		for _, reference := range references {
			if with := byName[reference]; with != nil {
				cells = append(cells, ratioCell(w, r, reference, with))
			}
		}
		cells = append(cells, fmt.Sprintf("%.1f, %.0f",
			bench.Median(r.samples, bench.Mallocs), bench.Median(r.samples, bench.Bytes)))
		row(table, judged(w, r, byName), cells...)
	}
	table.Flush()
}

func ratioCell(w bench.Workload, r result, reference string, with []bench.Sample) string {
	if r.name == reference {
		return "1"
	}
	ratio := bench.Compared(r.samples, with)
	if w.Bytes > 0 {
		ratio = ratio.Inverse()
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", ratio.Median, ratio.Low, ratio.High)
}

// judged is what was aimed at with a contender, and whether it was reached.
func judged(w bench.Workload, r result, all map[string][]bench.Sample) string {
	var verdicts []string
	for _, t := range targets {
		if t.workload != w.Name || t.contender != r.name || all[t.against] == nil {
			continue
		}
		ratio := bench.Compared(r.samples, all[t.against])
		if t.speed {
			ratio = ratio.Inverse()
		}
		verdicts = append(verdicts, t.met(ratio.Median))
	}
	if w.Passed == 0 && (r.name == bench.Kernel || r.name == bench.Pipe) {
		verdict := "missed"
		if bench.Median(r.samples, bench.Mallocs) < 0.05 { // what garbage collection makes the pools get again
			verdict = "met"
		}
		verdicts = append(verdicts, "0 allocations: "+verdict)
	}
	return strings.Join(verdicts, "; ")
}

func duration(ns float64) string {
	d := time.Duration(ns)
	switch {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	}
	return fmt.Sprintf("%.1f ms", ns/1e6)
}

// packetMessages is how many messages the packets are counted of.
var packetMessages = map[string]int{"roundtrip64": 2000, "write64k": 1000, "pass1": 500, "pass253": 20}

func printPackets() error {
	heading("Packets of the pipe transport, per operation, counted at the pipe; both ends in one process")
	table := newTable()
	row(table, "", "", "end", "data", "credit", "acknowledgement", "other", "pipe was full", "bytes on the wire")
	for _, w := range bench.Workloads {
		sender, receiver, err := bench.CountPackets(w, packetMessages[w.Name])
		if errors.Is(err, errors.ErrUnsupported) {
			fmt.Println("  not counted: there is no pipe transport on this system")
			return nil
		}
		if err != nil {
			return fmt.Errorf("counting packets, %s: %w", w.Title, err)
		}
		for _, end := range []struct {
			name string
			bench.Tally
		}{{"sender", sender}, {"receiver", receiver}} {
			row(table, "", w.Title, end.name, number(end.Data), number(end.Credit), number(end.Ack), number(end.Other),
				number(end.Full), fmt.Sprintf("%.0f", end.Bytes))
		}
	}
	table.Flush()
	fmt.Println("  aimed at: one data packet for a message that fits; credit and acknowledgements are beside it")
	return nil
}

// number shows a count per operation: two decimals, unless that would be none at all.
func number(n float64) string {
	if math.Abs(n) < 0.005 {
		return "0"
	}
	return fmt.Sprintf("%.2f", n)
}

func (o options) printIdle(dir string) error {
	heading(fmt.Sprintf("One end of an idle connection: the mean of both ends of %d, dialled and accepted in this process",
		o.idle))
	table := newTable()
	row(table, "", "", "heap", "stack", "KiB together", "goroutines", "descriptors",
		"…waited on by a Read: KiB", "goroutines")
	var note string
	for _, c := range bench.Contenders() {
		quiet, reading, err := bench.MeasureIdle(c, dir, o.idle)
		if err != nil {
			return fmt.Errorf("idle connections, %s: %w", c.Name, err)
		}
		row(table, "", c.Name, kib(quiet.Heap), kib(quiet.Stack), kib(quiet.Footprint()),
			fmt.Sprintf("%.2f", quiet.Goroutines),
			fmt.Sprintf("%.2f", quiet.Descriptors), kib(reading.Footprint()), fmt.Sprintf("%.2f", reading.Goroutines))
		if c.Name == bench.Pipe {
			note = idleNote(max(quiet.Footprint(), reading.Footprint()))
		}
	}
	table.Flush()
	fmt.Println("  a goroutine that waits in Read is the program's own, and is counted; the kernel's memory is not")
	fmt.Println(note)
	return nil
}

func kib(bytes float64) string { return fmt.Sprintf("%.1f", bytes/1024) }
