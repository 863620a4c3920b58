package apitest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// longDir returns a directory in which no socket's path fits into an address.
func longDir(t *testing.T) string {
	t.Helper()
	dir := testenv.TempDir(t)
	for range 3 {
		dir = filepath.Join(dir, strings.Repeat("long", 20))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// reaches reports whether there is a way to a long path: on Linux by its directory, on Windows as
// the pipe transport's socket files are files.
func reaches(tr afunix.Transport) bool {
	return runtime.GOOS == "linux" || runtime.GOOS == "windows" && tr == afunix.PipeTransport
}

// A socket may have a path that is longer than its address, and is called by it.
func TestLongPath(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := filepath.Join(longDir(t), "s")
		l, err := (&afunix.ListenConfig{Transport: tr}).Listen(t.Context(), network, path)
		if !reaches(tr) {
			expectTooLong(t, err, len(path))
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if got := l.Addr().String(); got != path {
			t.Errorf("the listener is called %s", got)
		}
		c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		s, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		guard(t, s)
		if got := c.RemoteAddr().String(); got != path {
			t.Errorf("the client's peer is called %s", got)
		}
		if got := s.LocalAddr().String(); got != path {
			t.Errorf("the server's end is called %s", got)
		}
		mustWriteMsg(t, c, "x")
		mustReadMsg(t, s, "x", 0)
		if _, err := (&afunix.ListenConfig{Transport: tr}).Listen(t.Context(), network, path); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("a second listener: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket file after Close: %v", err)
		}
		if err := dialAttempt(t, tr, network, path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Dial after Close: %v", err)
		}
	})
}

func expectTooLong(t *testing.T, err error, length int) {
	t.Helper()
	var op *net.OpError
	if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) ||
		!strings.Contains(err.Error(), "bytes, and the limit is") || !strings.Contains(err.Error(), fmt.Sprintf("has %d bytes", length)) {
		t.Errorf("%v; want EINVAL, the length %d and the limit", err, length)
	}
}

// Where a long name cannot be, the error says how long it may be.
func TestNamesThatAreTooLong(t *testing.T) {
	each(t, all, func(t *testing.T, tr afunix.Transport, network string) {
		path := filepath.Join(longDir(t), "s")
		abstract := "@" + strings.Repeat("x", 108)
		for _, name := range []string{abstract, path} {
			if runtime.GOOS != "linux" && (name == abstract || tr != afunix.PipeTransport) {
				continue // there are no such names at all, or see TestLongPath
			}
			if network == "unixgram" {
				expectTooLong(t, listenAttempt(t, tr, network, name), len(name))
				c, err := (&afunix.ListenConfig{Transport: tr}).ListenPacket(t.Context(), network, socketPath(t))
				if err != nil {
					t.Fatal(err)
				}
				guard(t, c)
				_, err = c.WriteMsgTo([]byte("x"), &net.UnixAddr{Name: name, Net: network})
				expectTooLong(t, err, len(name))
			} else if name == abstract {
				expectTooLong(t, listenAttempt(t, tr, network, name), len(name))
			}
			if name == abstract {
				expectTooLong(t, dialAttempt(t, tr, network, name), len(name))
			}
			d := afunix.Dialer{Transport: tr, LocalAddr: &net.UnixAddr{Name: name, Net: network}}
			_, err := d.DialContext(t.Context(), network, path)
			expectTooLong(t, err, len(name))
		}
	})
}

// A listener that moves keeps its long path.
func TestLongPathOfAListenerThatMoves(t *testing.T) {
	eachPassing(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		if tr != afunix.PipeTransport {
			t.Skip("the kernel shows what it was bound to: the way by the directory")
		}
		path := filepath.Join(longDir(t), "s")
		l := listen(t, tr, network, path)
		l.SetUnlinkOnClose(false)
		a, b := pair(t, tr, "unix")
		mustWriteMsg(t, a, "x", l)
		m := mustReadMsg(t, b, "x", 1)
		got, err := m.Rights.Listener(0)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if name := got.Addr().String(); name != path {
			t.Errorf("the listener is called %q", name)
		}
		got.(*afunix.Listener).SetUnlinkOnClose(true)
		c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err != nil {
			t.Fatal(err)
		}
		guard(t, c)
		s, err := got.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if name := s.LocalAddr().String(); name != path {
			t.Errorf("the server's end is called %q", name)
		}
		a2, b2 := pair(t, tr, "unix") // an end does not take along a name that no packet has room for
		mustWriteMsg(t, a2, "x", c)
		end, err := mustReadMsg(t, b2, "x", 1).Rights.Conn(0)
		if err != nil {
			t.Fatal(err)
		}
		defer end.Close()
		if name := end.RemoteAddr().String(); name != "@" {
			t.Errorf("the end's peer is called %q", name)
		}
		if err := got.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket file after Close: %v", err)
		}
	})
}
