//go:build unix

package descriptor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A specimen is a descriptor whose kind is known.
type specimen struct {
	name string
	kind Kind
	open func(t *testing.T) uintptr
}

// socket returns a function that makes a socket that is neither bound nor connected.
func socket(domain, typ int) func(*testing.T) uintptr {
	return func(t *testing.T) uintptr {
		fd, err := unix.Socket(domain, typ, 0)
		if err != nil {
			t.Skip(err)
		}
		return owned(t, fd)
	}
}

// owned closes fd at the end of the test.
func owned(t *testing.T, fd int) uintptr {
	t.Cleanup(func() { unix.Close(fd) })
	return uintptr(fd)
}

// dupOf returns a copy of what c has, which outlives c.
func dupOf(t *testing.T, c syscall.Conn) uintptr {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	if err := errors.Join(raw.Control(func(v uintptr) { fd, err = unix.Dup(int(v)) }), err); err != nil {
		t.Fatal(err)
	}
	return owned(t, fd)
}

func openPath(path string) func(t *testing.T) uintptr {
	return func(t *testing.T) uintptr {
		f, err := os.Open(path)
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		return dupOf(t, f)
	}
}

func tempFile(data string, remove bool) func(t *testing.T) uintptr {
	return func(t *testing.T) uintptr {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(data), 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if remove {
			os.Remove(path)
		}
		return dupOf(t, f)
	}
}

func pipeEnd(i int) func(t *testing.T) uintptr {
	return func(t *testing.T) uintptr {
		var p [2]int
		if err := unix.Pipe(p[:]); err != nil {
			t.Fatal(err)
		}
		unix.Close(p[1-i])
		return owned(t, p[i])
	}
}

func listener(network, address string) func(t *testing.T) uintptr {
	return func(t *testing.T) uintptr {
		if network[0] == 'u' {
			address = filepath.Join(t.TempDir(), "s")
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Skip(err)
		}
		defer l.Close()
		return dupOf(t, l.(syscall.Conn))
	}
}

func connected(network, address string) func(t *testing.T) uintptr {
	return func(t *testing.T) uintptr {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Skip(err)
		}
		defer l.Close()
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return dupOf(t, c.(syscall.Conn))
	}
}

func pair(typ int) func(t *testing.T) uintptr {
	return func(t *testing.T) uintptr {
		p, err := unix.Socketpair(unix.AF_UNIX, typ, 0)
		if err != nil {
			t.Skip(err)
		}
		unix.Close(p[1])
		return owned(t, p[0])
	}
}

func specimens() []specimen {
	return append([]specimen{
		{"empty file", File, tempFile("", false)},
		{"file", File, tempFile("data", false)},
		{"deleted file", File, tempFile("data", true)},
		{"directory", Directory, openPath(".")},
		{"pipe to read", Pipe, pipeEnd(0)},
		{"pipe to write", Pipe, pipeEnd(1)},
		{"tcp", Stream, connected("tcp4", "127.0.0.1:0")},
		{"tcp6", Stream, connected("tcp6", "[::1]:0")},
		{"fresh tcp", Stream, socket(unix.AF_INET, unix.SOCK_STREAM)},
		{"tcp listener", Listener, listener("tcp4", "127.0.0.1:0")},
		{"udp", Datagram, socket(unix.AF_INET, unix.SOCK_DGRAM)},
		{"unix pair", Unix, pair(unix.SOCK_STREAM)},
		{"unixgram pair", Unix, pair(unix.SOCK_DGRAM)},
		{"unixpacket pair", Unix, pair(unix.SOCK_SEQPACKET)},
		{"unix listener", UnixListener, listener("unix", "")},
		{"null device", Other, openPath(os.DevNull)},
	}, systemSpecimens()...)
}

func TestKindOfEverySpecimen(t *testing.T) {
	for _, s := range specimens() {
		t.Run(s.name, func(t *testing.T) {
			v := s.open(t)
			if k, err := System.Kind(v); k != s.kind || err != nil {
				t.Errorf("Kind = %d, %v; want %d", k, err, s.kind)
			}
			if err := Sendable(v, s.kind); err != nil {
				t.Errorf("Sendable: %v", err)
			}
			dup, err := System.Dup(v, s.kind)
			if err != nil {
				t.Fatal("Dup:", err)
			}
			if k, err := System.Kind(dup); k != s.kind || err != nil {
				t.Errorf("Kind of the duplicate = %d, %v; want %d", k, err, s.kind)
			}
			if flags, err := unix.FcntlInt(dup, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("flags of the duplicate = %#x, %v; want FD_CLOEXEC", flags, err)
			}
			if err := System.Close(dup, s.kind); err != nil {
				t.Error("Close:", err)
			}
		})
	}
}

func TestClosedDescriptorIsEBADF(t *testing.T) {
	for _, v := range []uintptr{1 << 20, ^uintptr(0)} {
		if _, err := System.Kind(v); err != syscall.EBADF {
			t.Errorf("Kind(%d): %v", int(v), err)
		}
		if _, err := System.Dup(v, File); err != syscall.EBADF {
			t.Errorf("Dup(%d): %v", int(v), err)
		}
		if err := System.Close(v, File); err != syscall.EBADF {
			t.Errorf("Close(%d): %v", int(v), err)
		}
	}
}

// What a stranger says a descriptor is, is held against what it is.
func TestMatches(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	v := f.Fd()
	is, err := System.Kind(v)
	if err != nil {
		t.Fatal(err)
	}
	for k := range kinds {
		if got, err := System.Matches(v, k); got != (k == is) || err != nil {
			t.Errorf("kind %d of a descriptor of kind %d: %t, %v", k, is, got, err)
		}
	}
	f.Close()
	if got, err := System.Matches(1<<30, is); got || err != syscall.EBADF {
		t.Errorf("a descriptor that is not open: %t, %v", got, err)
	}
}

// An end of the pipe transport is a socket, in the table too.
func TestEndsAreSockets(t *testing.T) {
	for _, k := range []Kind{Unix, UnixListener} {
		if got := EndKind(k); got != k {
			t.Errorf("an end of kind %d is a descriptor of kind %d", k, got)
		}
	}
}
