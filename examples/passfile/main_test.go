package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"afunix"
	"afunix/internal/leaktest"
	"afunix/internal/testenv"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestAFileIsPassed(t *testing.T) {
	dir := testenv.TempDir(t)
	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, []byte("remember the milk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := afunix.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(20 * time.Second))
	out := new(strings.Builder)
	received := make(chan error, 1)
	go func() { received <- receive(l, out) }()
	if err := run([]string{"send", l.Addr().String(), notes}, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-received; err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "a file: remember the milk\n" {
		t.Errorf("it prints %q", got)
	}
}
