package upgrade_test

import (
	"crypto/rand"
	"io"
	"os"
	"testing"
	"time"

	"afunix/internal/testenv"
	"afunix/upgrade"
)

// A public name of Windows goes to the successor with both its doors, and with the clients who wait
// at them. A plain client finds somebody there at any time.
func TestPublicNameGoesToTheSuccessor(t *testing.T) {
	name := `\\.\pipe\afunix-test-` + rand.Text()
	cfg := upgrade.Config{Address: address(t)}
	former := start(t, cfg)
	l := listen(t, former, "web", "unix", name)
	greet(t, l, "first")
	ready(t, former)
	expectGreeting(t, "unix", name, "first")
	expectPlainGreeting(t, testenv.MustOpenPipe(t, name), "first")

	for _, word := range []string{"second", "third"} {
		u := start(t, cfg)
		next := listen(t, u, "web", "unix", name)
		if next.Addr().String() != name {
			t.Errorf("it is at %v", next.Addr())
		}
		greet(t, next, word)
		ready(t, u)
		expectDone(t, former)
		waits := testenv.MustOpenPipe(t, name)
		l.Close()
		former.Close()
		expectPlainGreeting(t, waits, word)
		expectGreeting(t, "unix", name, word)
		expectPlainGreeting(t, testenv.MustOpenPipe(t, name), word)
		former, l = u, next
	}
}

func expectPlainGreeting(t *testing.T, f *os.File, want string) {
	t.Helper()
	f.SetDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(f); err != nil || string(got) != want {
		t.Errorf("a plain client has read %q, %v; want %q", got, err, want)
	}
}
