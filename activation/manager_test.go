package activation_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/activation"
	"afunix/internal/testenv"
)

// timeLimit is a context for a process of a test.
func timeLimit() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// newManager returns the receiving end of sd_notify(3), and the Manager that is connected to it.
func newManager(t *testing.T) (*afunix.Conn, *activation.Manager) {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "notify")
	c, err := afunix.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	t.Setenv("NOTIFY_SOCKET", path)
	m, err := activation.Dial(t.Context())
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	t.Cleanup(func() { m.Close() })
	return c, m
}

// read returns what the manager is told, with how many descriptors.
func read(t *testing.T, c *afunix.Conn) (text string, rights afunix.Rights) {
	t.Helper()
	m, err := c.ReadMsg(make([]byte, 1000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Rights.Close() })
	return string(m.Data), m.Rights
}

func TestNotify(t *testing.T) {
	c, m := newManager(t)
	if err := m.Notify(t.Context(), "READY=1", "STATUS=serving"); err != nil {
		t.Fatal(err)
	}
	if text, rights := read(t, c); text != "READY=1\nSTATUS=serving" || rights.Len() != 0 {
		t.Errorf("%q with %d descriptors", text, rights.Len())
	}
	before, _ := monotonicNow()
	if err := m.Reloading(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, _ := read(t, c)
	if runtime.GOOS != "linux" {
		if text != "RELOADING=1" {
			t.Errorf("%q", text)
		}
		return
	}
	found := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("%q", text)
	}
	when, err := time.ParseDuration(found[1] + "us")
	after, _ := monotonicNow()
	if err != nil || when < before.Truncate(time.Microsecond) || when > after {
		t.Errorf("it is said to be %v, %v; and is between %v and %v", when, err, before, after)
	}
}

// Descriptors go to the manager by name, and are still open here.
func TestStore(t *testing.T) {
	c, m := newManager(t)
	f := testenv.TempFile(t, "text")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := m.Store(t.Context(), "state", f, w); err != nil {
		t.Fatal(err)
	}
	text, rights := read(t, c)
	if text != "FDSTORE=1\nFDNAME=state" || rights.Len() != 2 {
		t.Fatalf("%q with %d descriptors", text, rights.Len())
	}
	stored, err := rights.File(0)
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	if got, err := io.ReadAll(stored); string(got) != "text" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := m.Remove(t.Context(), "state"); err != nil {
		t.Fatal(err)
	}
	if text, _ := read(t, c); text != "FDSTOREREMOVE=1\nFDNAME=state" {
		t.Errorf("%q", text)
	}
	for _, name := range []string{"", "a:b", "a\nREADY=1", "ä", "a\x7f", strings.Repeat("x", 256)} {
		if err := m.Store(t.Context(), name, f); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Store %q: %v; want EINVAL", name, err)
		}
		if err := m.Remove(t.Context(), name); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Remove %q: %v; want EINVAL", name, err)
		}
	}
	if err := m.Store(t.Context(), "state"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("nothing is stored: %v; want EINVAL", err)
	}
}

// A barrier is over when the manager has closed what came with it, and not before.
func TestBarrier(t *testing.T) {
	c, m := newManager(t)
	over := make(chan error, 1)
	go func() { over <- m.Barrier(timeLimit()) }()
	text, rights := read(t, c)
	if text != "BARRIER=1" || rights.Len() != 1 {
		t.Fatalf("%q with %d descriptors", text, rights.Len())
	}
	select {
	case err := <-over:
		t.Fatal("the manager has not come to the barrier, and it is over:", err)
	default:
	}
	rights.Close()
	if err := <-over; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { over <- m.Barrier(ctx) }()
	read(t, c)
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("nobody comes to the barrier: %v; want context.Canceled", err)
	}
}

// Whoever tells the manager something while it is busy waits, until its own context ends.
func TestManagerThatReadsNothing(t *testing.T) {
	c, m := newManager(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var err error
	for err == nil {
		err = m.Notify(ctx, "STATUS=busy")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if err := m.Notify(timeLimit(), "STATUS=more"); err != nil {
				t.Error(err)
			}
		})
	}
	for more := 0; more < 5; {
		if text, _ := read(t, c); text == "STATUS=more" {
			more++
		}
	}
	all.Wait()
}

// Without a manager there is nobody to tell, and one that cannot be reached says why.
func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m, err := activation.Dial(t.Context())
	if m != nil || err != nil {
		t.Fatal(m, err)
	}
	ctx := t.Context()
	for call, err := range map[string]error{
		"Notify": m.Notify(ctx, "READY=1"), "Reloading": m.Reloading(ctx), "Barrier": m.Barrier(ctx),
		"Store": m.Store(ctx, "x", os.Stdin), "Remove": m.Remove(ctx, "x"), "Close": m.Close(),
	} {
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	dir := testenv.TempDir(t)
	for address, want := range map[string]error{
		"vsock:2:9999":                 errors.ErrUnsupported,
		"vsock-stream:2:9999":          errors.ErrUnsupported,
		"relative":                     errors.ErrUnsupported,
		"@":                            errors.ErrUnsupported,
		filepath.Join(dir, "nowhere"):  os.ErrNotExist,
		filepath.Join(dir, "no", "no"): os.ErrNotExist,
	} {
		t.Setenv("NOTIFY_SOCKET", address)
		if m, err := activation.Dial(ctx); m != nil || !errors.Is(err, want) {
			t.Errorf("%s: %v, %v; want %v", address, m, err, want)
		}
	}
}
