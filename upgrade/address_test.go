package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"afunix"
	"afunix/internal/testenv"
)

func TestNamesBesideTheAddress(t *testing.T) {
	for _, test := range []struct {
		address string
		limit   int
		want    string
	}{
		{"/run/a.sock", 20, "/run/a.sock.0000cafe"},
		{"/run/a.sock", 19, "/run/a.soc.0000cafe"},
		{"/run/a.sock", 14, "/run/.0000cafe"},
		{"/run/a.sock", 11, "/run/.0000c"},
		{"/run/abcdefghijk", 16, "/run/ab.0000cafe"},
		{"/run/a", 7, "/run/.0"},
		{"/run/a", 6, "/run/0"},
		{"a", 1, "0"},
		{"a", 107, "a.0000cafe"},
	} {
		got := beside(filepath.FromSlash(test.address), test.limit, 0xcafe)
		if filepath.ToSlash(got) != test.want {
			t.Errorf("%s and %d bytes: %s, not %s", test.address, test.limit, got, test.want)
		}
	}
}

// Where there is room for one letter, that of the address itself is none that may be used.
func TestTheAddressIsNotBesideItself(t *testing.T) {
	cfg := Config{Address: addressOf(t, maxAddress, 1)}
	if longest(cfg.Address) > maxAddress {
		t.Skip("there is room for more")
	}
	for range 100 {
		l, path, err := listenBeside(t.Context(), &cfg)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if path == cfg.Address {
			t.Fatal("it is")
		}
	}
}

// addressOf returns a path with so many bytes, of which base are those of the file's name.
func addressOf(t *testing.T, bytes, base int) string {
	t.Helper()
	dir := testenv.TempDir(t)
	fill := bytes - base - len(dir) - 2
	if fill < 1 {
		t.Skipf("%s is too long", dir)
	}
	dir = filepath.Join(dir, strings.Repeat("d", fill))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, strings.Repeat("a", base))
}

// A chain of processes meets at an address of any length that a socket's may have.
func TestLongAddresses(t *testing.T) {
	for _, bytes := range []int{maxAddress - 9, maxAddress - 8, maxAddress - 4, maxAddress, 2 * maxAddress} {
		for _, base := range []int{1, 2, 4, 9, 20} {
			t.Run(fmt.Sprint(bytes, " bytes ending in ", base), func(t *testing.T) {
				cfg := Config{Address: addressOf(t, bytes, base)}
				if bytes > longest(cfg.Address) {
					t.Skip("no socket has such a path")
				}
				former := newReady(t, cfg)
				for range 2 {
					next := newReady(t, cfg)
					select {
					case <-former.Done():
					case <-time.After(patience):
						t.Fatal("nobody has taken over")
					}
					former = next
				}
				if err := former.Close(); err != nil {
					t.Error(err)
				}
				expectFiles(t, filepath.Dir(cfg.Address))
			})
		}
	}
}

func newReady(t *testing.T, cfg Config) *Upgrader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	u, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	if err := u.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return u
}

// expectFiles expects that these are all that a directory has.
func expectFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s has %v, not %v", dir, got, want)
	}
}

// tooLong returns a path that no socket can have.
func tooLong(t *testing.T) string {
	dir := addressOf(t, maxAddress+1, 9) + string(filepath.Separator)
	return dir + strings.Repeat("a", longest(dir)-len(dir)+1)
}

func TestAddressThatCannotBeOne(t *testing.T) {
	for _, address := range []string{tooLong(t), "", "@abstract"} {
		_, err := New(t.Context(), Config{Address: address})
		if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "Config.Address") {
			t.Errorf("%q: %v", address, err)
		}
		if limit := longest(address); len(address) > limit && !strings.Contains(err.Error(), fmt.Sprint(" takes ", limit)) {
			t.Errorf("the limit is not said: %v", err)
		}
	}
}

// What a process has left that died while it put itself at the address is removed, and nothing
// else.
func TestLeftovers(t *testing.T) {
	dir := testenv.TempDir(t)
	address := filepath.Join(dir, "a.sock")
	old := time.Now().Add(-time.Hour)
	make := func(name string, live bool, when time.Time) {
		t.Helper()
		path := filepath.Join(dir, name)
		l, err := afunix.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if live {
			t.Cleanup(func() { l.Close() })
		} else {
			l.SetUnlinkOnClose(false)
			l.Close()
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	make("a.sock.00000001", false, old)
	make("a.sock.00000002", true, old)
	make("a.sock.00000003", false, time.Now())
	make("a.sock.0000004", false, old)
	make("b.sock.00000005", false, old)
	make("a.sock.0000000g", false, old)
	if err := os.WriteFile(filepath.Join(dir, "a.sock.00000006"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, "a.sock.00000006"), old, old); err != nil {
		t.Fatal(err)
	}
	newReady(t, Config{Address: address}).Close()
	expectFiles(t, dir, "a.sock.00000002", "a.sock.00000003", "a.sock.00000006", "a.sock.0000000g",
		"a.sock.0000004", "b.sock.00000005")
}

// Only what nobody would miss makes room for a process that puts itself at the address again.
func TestWhatMayBeAtTheAddress(t *testing.T) {
	u := newReady(t, Config{Address: filepath.Join(testenv.TempDir(t), "upgrade.sock")})
	if err := u.expectNoSocket(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("where it is itself: %v", err)
	}
	u.Close()
	if err := u.expectNoSocket(t.Context()); err != nil {
		t.Errorf("where nothing is: %v", err)
	}
	if err := os.WriteFile(u.cfg.Address, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := u.expectNoSocket(t.Context()); !errors.Is(err, syscall.ENOTSOCK) {
		t.Errorf("where a file is: %v", err)
	}
}
