package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// Connections that go through the relay behave as those that do not: the tests of
// internal/conformance run with a relay in each of their connections.
func TestConformanceThroughTheRelay(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the tests are built by go, which is not here")
	}
	relay, err := exec.LookPath("afunix") // this program: see TestMain
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-timeout=5m", "./internal/conformance")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "AFUNIX_RELAY="+relay, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := bytes.Count(out, []byte("connection 1: from")); n < 100 {
		t.Errorf("only %d relays were used", n)
	}
}
