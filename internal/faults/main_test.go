//go:build linux || windows

package faults

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(errandVariable); text != "" {
		os.Exit(work(text))
	}
	runTests(m)
}

// patience bounds every wait that should not last; a worker that lasts three times as long is
// killed.
const patience = 30 * time.Second
