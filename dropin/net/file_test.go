package net_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
	"afunix/dropin/unix"
	"afunix/internal/testenv"
)

// The end of a pair that was closed by whatever name is closed: its peer reads the end.
func TestCloseOfADescriptor(t *testing.T) {
	for name, closeIt := range map[string]func(t *testing.T, fd int){
		"syscall.Close": func(t *testing.T, fd int) {
			if err := syscall.Close(fd); err != nil {
				t.Error(err)
			}
		},
		"unix.Close": func(t *testing.T, fd int) {
			if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
		},
		"os.File": func(t *testing.T, fd int) {
			if err := os.NewFile(uintptr(fd), "end").Close(); err != nil {
				t.Error(err)
			}
		},
		"FileConn": func(t *testing.T, fd int) {
			if err := asConn(t, fd).Close(); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := socketpair(t, "unix")
			peer := asConn(t, b)
			closeIt(t, a)
			if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
				t.Error(err)
			}
			// Somebody else in this process may have got the number by now: then it is a
			// descriptor, but no end.
			if err := syscall.Sendmsg(a, []byte("x"), nil, nil, 0); err != syscall.EBADF && err != syscall.ENOTSOCK {
				t.Errorf("it can be used still: %v", err)
			}
		})
	}
}

// A connection and its files are copies: it lasts as long as one of them.
func TestFileOfAConnection(t *testing.T) {
	each(t, all, func(t *testing.T, network string) {
		a, b := connPair(t, network)
		f, err := a.File()
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write of what is closed: %v", err)
		}
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close of what is closed: %v", err)
		}
		fd := int(f.Fd())
		if err := syscall.Sendmsg(fd, []byte("one"), nil, nil, 0); err != nil {
			t.Fatal(err)
		}
		again, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := again.Write([]byte("two")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 3)
		for _, want := range []string{"one", "two"} {
			if _, err := io.ReadFull(b, got); string(got) != want || err != nil {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
		}
		again.Close()
		if network == "unix" {
			if _, err := b.Read(got); err != io.EOF {
				t.Error(err)
			}
		}
	})
}

// Closing one of two copies wakes those that wait by way of it, and nobody else.
func TestCloseWakesItsOwn(t *testing.T) {
	a, b := connPair(t, "unix")
	f, err := b.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	copied := guard(t, c)

	closed, read := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := b.Read(make([]byte, 1))
		closed <- err
	}()
	go func() {
		_, err := copied.Read(make([]byte, 1))
		read <- err
	}()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	expectSoon(t, func() error {
		if err := <-closed; !errors.Is(err, net.ErrClosed) {
			return errors.Join(errors.New("Read of what is closed"), err)
		}
		return nil
	})
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	expectSoon(t, func() error { return <-read })
}

func TestFileOfAListener(t *testing.T) {
	each(t, listened, func(t *testing.T, network string) {
		path := socketPath(t)
		l := listen(t, network, path)
		l.SetUnlinkOnClose(false)
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		expectSoon(t, func() error {
			if err := <-accepted; !errors.Is(err, net.ErrClosed) {
				return errors.Join(errors.New("Accept of what is closed"), err)
			}
			return nil
		})
		again, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial(network, path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := again.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		again.Close()
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("the socket file is gone: %v", err)
		}
		os.Remove(path)
	})
}

// A name is free again as soon as its listener and all its files are closed.
func TestNameIsFreeAtOnce(t *testing.T) {
	path := socketPath(t)
	for range 20 {
		l := listen(t, "unix", path)
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		l.Close()
	}
}

func TestFileOfTheWrongKind(t *testing.T) {
	f := testenv.TempFile(t, "hello")
	if c, err := net.FileConn(f); err == nil {
		c.Close()
		t.Error("a file is a connection")
	} else if op, ok := err.(*net.OpError); !ok || op.Op != "file" || op.Net != "file+net" || op.Addr.String() != f.Name() {
		t.Errorf("%#v", err)
	}
	if !overPipe {
		return // package net does not look whether a socket listens
	}
	a, b := connPair(t, "unix")
	defer b.Close()
	end, err := a.File()
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	if l, err := net.FileListener(end); err == nil {
		l.Close()
		t.Error("a connection is a listener")
	} else if op, ok := err.(*net.OpError); !ok || op.Op != "file" || op.Net != "file+net" {
		t.Errorf("%#v", err)
	}
}

// Sockets of other networks that were received are what they were.
func TestReceivedSockets(t *testing.T) {
	needRights(t)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()

	t.Run("listener", func(t *testing.T) {
		f := overPair(t, tcp.(*net.TCPListener))
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l.Addr().String() != tcp.Addr().String() {
			t.Error(l.Addr())
		}
		tcp.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		t.Run("connection", func(t *testing.T) {
			f := overPair(t, c.(*net.TCPConn))
			c.Close()
			got, err := net.FileConn(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			if _, err := got.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 5)
			if _, err := io.ReadFull(s, buf); string(buf) != "hello" || err != nil {
				t.Error(buf, err)
			}
		})
	})
	t.Run("packets", func(t *testing.T) {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		f := overPair(t, udp.(*net.UDPConn))
		got, err := net.FilePacketConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if _, err := got.WriteTo([]byte("hello"), got.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		if n, from, err := got.ReadFrom(buf); string(buf[:n]) != "hello" || from.String() != udp.LocalAddr().String() || err != nil {
			t.Error(n, from, err)
		}
	})
}

// overPair sends s over a pair and returns what is received. (Not by way of s.File, which Wine 8
// cannot do: it cannot take a socket off a completion port.)
func overPair(t *testing.T, s syscall.Conn) *os.File {
	t.Helper()
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	a, b := connPair(t, "unix")
	err = raw.Control(func(fd uintptr) {
		if _, _, err := a.WriteMsgUnix(nil, syscall.UnixRights(int(fd)), nil); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	oob := make([]byte, syscall.CmsgSpace(4))
	_, oobn, _, _, err := b.ReadMsgUnix(nil, oob)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(rightsOf(t, oob[:oobn])[0]), "received")
}

// A descriptor has the names of its socket.
func TestNamesOfDescriptors(t *testing.T) {
	path := socketPath(t)
	l := listen(t, "unix", path)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	client := guard(t, c)
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server := guard(t, s)
	for _, test := range []struct {
		of          syscall.Conn
		local, peer string
		err         error
	}{
		{client, "@", path, nil},
		{server, path, "@", nil},
		{l, path, "", syscall.ENOTCONN},
	} {
		control(t, test.of, func(fd int) {
			local, err := syscall.Getsockname(fd)
			if err != nil || local.(*syscall.SockaddrUnix).Name != test.local {
				t.Errorf("Getsockname: %v, %v; want %q", local, err, test.local)
			}
			peer, err := unix.Getpeername(fd)
			if err != test.err || err == nil && peer.(*unix.SockaddrUnix).Name != test.peer {
				t.Errorf("Getpeername: %v, %v; want %q, %v", peer, err, test.peer, test.err)
			}
		})
	}
}

// copyOf returns what FileListener makes of a file of l, which is closed.
func copyOf(t *testing.T, l *net.UnixListener) *net.UnixListener {
	t.Helper()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.(*net.UnixListener)
}

func closeAndExpectFile(t *testing.T, l *net.UnixListener, path string, there bool) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); (err == nil) != there {
		t.Errorf("the socket file: %v; there should be one: %t", err, there)
	}
}

// checkAccepts sees that l accepts who dials path.
func checkAccepts(t *testing.T, l *net.UnixListener, path string) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
