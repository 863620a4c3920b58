//go:build unix

package activation

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
)

// Launchd is asked for a name when somebody wants it, and once.
func TestLaunchdIsAskedForEachName(t *testing.T) {
	asked := map[string]int{}
	first, firstAddress := listening(t)
	second, secondAddress := listening(t)
	s := &Sockets{asked: map[string]bool{}, launched: func(name string) ([]*os.File, error) {
		asked[name]++
		if name != "web" {
			return nil, nil
		}
		return []*os.File{first, second}, nil
	}}
	defer s.Close()
	for _, address := range []string{secondAddress, firstAddress} {
		l, err := s.Listener(t.Context(), "web", "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
	for range 2 {
		if _, err := s.Listener(t.Context(), "web", "tcp", firstAddress); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a third listener: %v", err)
		}
		if _, err := s.File("other"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a name that launchd does not know: %v", err)
		}
	}
	if asked["web"] != 1 || asked["other"] != 1 {
		t.Errorf("launchd was asked: %v", asked)
	}
}

// What goes wrong with launchd is said, and the next call asks again.
func TestLaunchdThatFails(t *testing.T) {
	s := &Sockets{asked: map[string]bool{}, launched: func(string) ([]*os.File, error) { return nil, syscall.EMFILE }}
	for range 2 {
		if _, err := s.File("web"); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%v, want EMFILE", err)
		}
	}
}

// A process that launchd has not started, or not with this name, is passed nothing. (On macOS that
// calls libSystem.)
func TestLaunchdPassesNothingHere(t *testing.T) {
	for range 2 {
		if files, err := launched("no such socket"); len(files) != 0 || err != nil {
			t.Errorf("%v, %v", files, err)
		}
	}
}

// listening returns a listener of TCP as a file, and its address.
func listening(t *testing.T) (f *os.File, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if f, err = l.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	return f, l.Addr().String()
}
