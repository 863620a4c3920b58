// Package faults has tests with real processes that fail: killed at every step, suspended, out of
// descriptors, with a full disk, or with a reader that stops. What it does, and what it has found,
// is in docs/FAULTS.md.
//
// The test binary starts itself as the other process, a worker: see worker_test.go. The faults are
// the table in faults_test.go; each has a file of its own. counts_test.go measures what a process
// has, and compares. "go test" does a little of everything; "make soak" repeats it for a given
// time.
package faults
