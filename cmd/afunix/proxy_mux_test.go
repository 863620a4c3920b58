package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"afunix/cmd/afunix/internal/mux"
)

// Who waits for a silent side is told so once, and goes on waiting.
func TestASilentSideIsWaitedForWithAWord(t *testing.T) {
	fromOther, otherOut := io.Pipe()
	otherIn, toOther := io.Pipe()
	said := make(chan string, 2)
	begun := make(chan error, 1)
	go func() {
		s, err := begin(fromOther, toOther, mux.Listens, time.Millisecond, func(line string) { said <- line })
		if err == nil {
			defer s.Close()
		}
		begun <- err
	}()
	within := time.After(patience)
	select {
	case line := <-said:
		if !strings.Contains(line, "has not said hello") {
			t.Error(line)
		}
	case err := <-begun:
		t.Fatalf("nobody has said hello, and the session has begun, or %v", err)
	case <-within:
		t.Fatal("nothing was said")
	}
	other, err := mux.New(otherIn, otherOut, mux.Dials)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	select {
	case err := <-begun:
		if err != nil {
			t.Error(err)
		}
	case <-within:
		t.Fatal("the session does not begin")
	}
	if len(said) > 0 {
		t.Error("and again: ", <-said)
	}
}
