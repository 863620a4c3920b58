package apitest

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"afunix"
	"afunix/internal/testenv"
)

// A socket of Windows' own AF_UNIX that was received is a *Conn, as every other AF_UNIX socket.
func TestReceivedNativeSocketIsAConn(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(testenv.TempDir(t), "s"))
	if err != nil {
		t.Skipf("no AF_UNIX of the system's own, as on Wine: %v", err)
	}
	defer l.Close()
	here, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	a, b := pair(t, afunix.PipeTransport, "unix")
	mustWriteMsg(t, a, "x", here.(*net.UnixConn))
	m := mustReadMsg(t, b, "x", 1)
	received, err := m.Rights.Conn(0)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := received.(*afunix.Conn)
	if !ok {
		t.Fatalf("received a %T", received)
	}
	guard(t, c)
	if c.Transport() != afunix.KernelTransport {
		t.Errorf("transport %v", c.Transport())
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(there, buf); err != nil || string(buf) != "hello" {
		t.Errorf("the peer read %q, %v", buf, err)
	}
}

// Dial finds sockets of Windows' own AF_UNIX, Docker's for example, by itself. They are plain
// streams.
func TestDialFindsNativeSockets(t *testing.T) {
	path := filepath.Join(testenv.TempDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skipf("no AF_UNIX of the system's own, as on Wine: %v", err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.Copy(c, c)
	}()
	c, err := afunix.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Transport() != afunix.KernelTransport {
		t.Errorf("transport %v", c.Transport())
	}
	if _, err := c.Write([]byte("echo")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "echo" {
		t.Errorf("read %q, %v", buf, err)
	}
	if _, err := c.WriteMsg([]byte("x"), os.Stdin); !errors.Is(err, afunix.ErrNotSendable) {
		t.Errorf("WriteMsg with a file: %v, want ErrNotSendable", err)
	}
	pipe := afunix.Dialer{Transport: afunix.PipeTransport}
	if c, err := pipe.DialContext(t.Context(), "unix", path); err == nil {
		c.Close()
		t.Error("the pipe transport dialled a native socket")
	}
}

// The socket file of Windows' own goes before anybody learns that the listener is closed. (Nothing
// holds such a file here: it cannot be opened. So there are many rounds.)
func TestNativeSocketFileIsGoneWhenAcceptReturns(t *testing.T) {
	for range 50 {
		path := filepath.Join(testenv.TempDir(t), "s")
		l, err := (&afunix.ListenConfig{Transport: afunix.KernelTransport}).Listen(t.Context(), "unix", path)
		if err != nil {
			t.Skipf("no AF_UNIX of the system's own, as on Wine: %v", err)
		}
		calls := make(chan error, 4)
		for _, f := range []func() error{l.Close, l.Close, accept(l), accept(l)} {
			go func() {
				err := f()
				if _, there := os.Lstat(path); !errors.Is(there, os.ErrNotExist) {
					t.Errorf("%v, and the file: %v", err, there)
				}
				calls <- err
			}()
		}
		for range cap(calls) {
			if err := within(t, "a call", func() error { return <-calls }); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	}
}

func accept(l *afunix.Listener) func() error {
	return func() error { _, err := l.Accept(); return err }
}
