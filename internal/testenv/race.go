//go:build race

package testenv

// Race reports whether the race detector is on: then tests take ten times as long, sync.Pool
// forgets, and counted allocations are not the program's.
const Race = true
