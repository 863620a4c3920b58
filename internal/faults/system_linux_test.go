package faults

import (
	"testing"

	"afunix"
	"afunix/internal/leaktest"
)

// runTests fails on whatever is left behind.
func runTests(m *testing.M) { leaktest.Main(m) }

var transports = []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport}

// How often each variant of a victim is killed in TestFaults, and in each round of TestSoak.
const (
	killsInShort    = 1
	variantsInShort = 4 // of all, at random
	killsInSoak     = 50
)
