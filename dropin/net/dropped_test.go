package net_test

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"afunix/dropin/net"
)

// collect runs the collector until done, and fails the test if that takes long.
func collect(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); {
		runtime.GC()
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// accepted returns the server's end of a connection to l, whose client nobody has any more but as f
// says.
func accepted(t *testing.T, l *net.UnixListener, f func(client *net.UnixConn)) *net.UnixConn {
	t.Helper()
	c, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	f(c)
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	s, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	return guard(t, s)
}

func ended(c *net.UnixConn) func() bool {
	return func() bool {
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	}
}

// A connection that is dropped is closed by the collector, whatever it has been asked for, and so
// is one that is made of its file.
func TestDroppedConnectionsAreClosedByTheCollector(t *testing.T) {
	l := listen(t, "unix", socketPath(t))
	for what, f := range map[string]func(c *net.UnixConn){
		"nothing":   func(*net.UnixConn) {},
		"deadlines": func(c *net.UnixConn) { c.SetDeadline(time.Now().Add(time.Hour)) },
		"a descriptor": func(c *net.UnixConn) {
			raw, err := c.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			if err := raw.Control(func(uintptr) {}); err != nil {
				t.Error(err)
			}
		},
		"a file that is dropped": func(c *net.UnixConn) {
			if _, err := c.File(); err != nil {
				t.Error(err)
			}
		},
		"a copy": func(c *net.UnixConn) {
			f, err := c.File()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := net.FileConn(f); err != nil {
				t.Error(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			for range 20 {
				s := accepted(t, l, f)
				collect(t, "the client is still connected", ended(s))
			}
		})
	}
}

// A file keeps what it was made of when the connection is dropped, and a RawConn keeps the
// connection.
func TestWhatIsUsedIsNotDropped(t *testing.T) {
	l := listen(t, "unix", socketPath(t))
	var f *os.File
	var raw syscall.RawConn
	withFile := accepted(t, l, func(c *net.UnixConn) { f, _ = c.File() })
	withRaw := accepted(t, l, func(c *net.UnixConn) { raw, _ = c.SyscallConn() })
	read := make(chan error, 1)
	reading := accepted(t, l, func(c *net.UnixConn) {
		go func() {
			_, err := c.Read(make([]byte, 1))
			read <- err
		}()
	})
	for range 10 {
		runtime.GC()
	}
	for _, s := range []*net.UnixConn{withFile, withRaw, reading} {
		if ended(s)() {
			t.Error("the client has been dropped")
		}
	}
	if _, err := reading.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
	if err := raw.Control(func(uintptr) {}); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	collect(t, "the client is still connected", ended(withFile))
}

func TestDroppedListenersAreClosedByTheCollector(t *testing.T) {
	path := socketPath(t)
	if _, err := net.Listen("unix", path); err != nil {
		t.Fatal(err)
	}
	collect(t, "somebody listens still", func() bool {
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket file: %v; it stays, as in package net", err)
	}
}
