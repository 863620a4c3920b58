// Report reads what "go test -json" says of the conformance suite, from one file for each column,
// and writes docs/CONFORMANCE.md to standard output. An argument is SYSTEM=FILE; a FILE that is
// empty or missing is a system on which the suite did not run.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"afunix/internal/conformance"
)

// A column is a transport on a system.
type column struct{ system, transport, title string }

var columns = []column{
	{"linux", "kernel", "kernel"},
	{"linux", "pipe", "pipe, Linux"},
	{"wine", "pipe", "pipe, Wine"},
}

// An event is a line of "go test -json".
type event struct{ Action, Test, Output string }

// A result is how one test ended, and the reason that it gave.
type result struct{ action, reason string }

func main() {
	results := map[string]map[string]result{} // by system and test
	for _, arg := range os.Args[1:] {
		system, file, _ := strings.Cut(arg, "=")
		r, err := read(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, "report:", err)
			os.Exit(1)
		}
		results[system] = r
	}
	write(results)
}

var skipped = regexp.MustCompile(`^\s*\w+_test\.go:\d+: (.*)\n`)

// read returns how each test in file ended.
func read(file string) (map[string]result, error) {
	f, err := os.Open(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	results := map[string]result{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" {
			continue // what the programs themselves print
		}
		r := results[e.Test]
		switch e.Action {
		case "output":
			if m := skipped.FindStringSubmatch(e.Output); m != nil {
				r.reason = m[1]
			}
		case "pass", "fail", "skip":
			r.action = e.Action
		}
		results[e.Test] = r
	}
	return results, lines.Err()
}

func write(results map[string]map[string]result) {
	fmt.Print(head)
	for _, c := range columns {
		fmt.Printf(" %s |", c.title)
	}
	fmt.Println("\n|---|---|---|---|---|---|")
	for _, row := range conformance.Rows {
		fmt.Printf("| %d | %s | %s |", row.Number, row.Types, row.Text())
		if r := results["linux"][testOf(row)]; r.action == "skip" {
			fmt.Printf(" %s |||\n", r.reason) // on every transport
			continue
		}
		for _, c := range columns {
			fmt.Printf(" %s |", cell(results[c.system], row, c.transport))
		}
		fmt.Println()
	}
}

func testOf(row conformance.Row) string { return fmt.Sprintf("TestRow%03d", row.Number) }

// cell returns what a row's tests say of a transport.
func cell(results map[string]result, row conformance.Row, transport string) string {
	if results == nil {
		return "not run"
	}
	var cells []string
	for name, r := range results {
		if !strings.HasPrefix(name, testOf(row)+"/"+transport+"/") || strings.Count(name, "/") != 2 {
			continue
		}
		c := map[string]string{"pass": "pass", "fail": "**fail**", "skip": r.reason, "": "**did not end**"}[r.action]
		if !slices.Contains(cells, c) {
			cells = append(cells, c)
		}
	}
	slices.Sort(cells)
	if cells == nil {
		return "**no test ran**"
	}
	return strings.Join(cells, "; ")
}

const head = `# Linux's AF_UNIX, row by row

Each row is a behaviour of Linux, in full. Comments in the code cite rows by their numbers, which have gaps.
For each row [internal/conformance](../internal/conformance) has a test of that number (TestRow027), which runs
through the public API on every transport. The kernel decides what is right: each test was written against the
kernel transport, and the pipe transport is held to it.

What a row says and its test leaves out is named behind *Not tested*. The other columns are results of the tests:

- *pass*: the transport does as the kernel does.
- *differs*: the transport cannot do as the kernel does, for the reason given.
- *not observable*: no program can see this behaviour through this API, for the reason given.

Types of sockets: s stream ("unix"), d datagram ("unixgram"), q seqpacket ("unixpacket").

This page is written by "make conformance". The rows are in internal/conformance/rows_*.go: change them there.

| row | types | what Linux does |`
