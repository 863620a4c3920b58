//go:build unix

package main

import "fmt"

// idleLimit is what an idle connection may cost over pipes on Linux.
const idleLimit = 20 << 10

// idleNote holds the pipe transport's footprint against what was aimed at.
func idleNote(bytes float64) string {
	verdict := "met"
	if bytes > idleLimit {
		verdict = "missed"
	}
	return fmt.Sprintf("  aimed at: pipe ≤ %s KiB, in both cases: %s", kib(idleLimit), verdict)
}
