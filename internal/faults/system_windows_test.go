package faults

import (
	"os"
	"testing"

	"afunix"
)

// runTests does not fail on what is left behind at the end: victims have pushed some of it here,
// which is counted where they die.
func runTests(m *testing.M) { os.Exit(m.Run()) }

var transports = []afunix.Transport{afunix.PipeTransport}

// How often each variant of a victim is killed in TestFaults, and in each round of TestSoak. (Wine
// takes its time to start a process.)
const (
	killsInShort    = 1
	variantsInShort = 1 // of all, at random
	killsInSoak     = 12
)

func exhaustDescriptors(*round) error {
	return skip("nothing limits the handles of a process here, but the 16 million that a table holds")
}
