package net_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"afunix/dropin/net"
	"afunix/dropin/syscall"
)

// sendFD sends fd over a pair and returns what is received.
func sendFD(t *testing.T, fd int) int {
	t.Helper()
	a, b := socketpair(t, "unix")
	defer syscall.Close(a)
	defer syscall.Close(b)
	if err := syscall.Sendmsg(a, nil, syscall.UnixRights(fd), nil, 0); err != nil {
		t.Fatal(err)
	}
	oob := make([]byte, syscall.CmsgSpace(4))
	_, oobn, _, _, err := syscall.Recvmsg(b, nil, oob, 0)
	if err != nil {
		t.Fatal(err)
	}
	return rightsOf(t, oob[:oobn])[0]
}

// The end of a connection can be sent, with what has not been read.
func TestSendAnEnd(t *testing.T) {
	needRights(t)
	each(t, all, func(t *testing.T, network string) {
		a, b := socketpair(t, network)
		peer := asConn(t, a)
		if _, err := peer.Write([]byte("before")); err != nil {
			t.Fatal(err)
		}
		got := asConn(t, sendFD(t, b))
		if overPipe {
			if err := syscall.Sendmsg(b, []byte("x"), nil, nil, 0); err != syscall.EBADF {
				t.Errorf("the sender still has it: %v", err)
			}
		}
		if err := syscall.Close(b); err != nil {
			t.Error(err)
		}
		if _, err := peer.Write([]byte("after_")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 6)
		for _, want := range []string{"before", "after_"} {
			if _, err := io.ReadFull(got, buf); string(buf) != want || err != nil {
				t.Fatalf("%q, %v; want %q", buf, err, want)
			}
		}
		if _, err := got.Write([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(peer, buf); string(buf) != "answer" || err != nil {
			t.Fatalf("%q, %v", buf, err)
		}
		got.Close()
		if network == "unix" {
			if _, err := peer.Read(buf); err != io.EOF {
				t.Error(err)
			}
		}
	})
}

// So can a connection's file, and a listener with clients that wait to be accepted.
func TestSendFiles(t *testing.T) {
	needRights(t)
	each(t, listened, func(t *testing.T, network string) {
		path := socketPath(t)
		l := listen(t, network, path)
		l.SetUnlinkOnClose(false)
		defer os.Remove(path)
		c, err := net.Dial(network, path)
		if err != nil {
			t.Fatal(err)
		}
		client := guard(t, c)
		if _, err := client.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		received := os.NewFile(uintptr(sendFD(t, int(f.Fd()))), "listener")
		f.Close()
		if err := l.Close(); err != nil {
			t.Errorf("Close of a listener whose file was sent: %v", err)
		}
		again, err := net.FileListener(received)
		if err != nil {
			t.Fatal(err)
		}
		received.Close()
		defer again.Close()
		if c, err = net.Dial(network, path); err != nil { // the socket file is still there
			t.Fatal(err)
		}
		defer c.Close()
		s, err := again.Accept()
		if err != nil {
			t.Fatal(err)
		}
		server := guard(t, s)
		if f, err = server.File(); err != nil {
			t.Fatal(err)
		}
		got := asConn(t, sendFD(t, int(f.Fd())))
		f.Close()
		if err := server.Close(); err != nil {
			t.Errorf("Close of a connection whose file was sent: %v", err)
		}
		buf := make([]byte, 5)
		if _, err := io.ReadFull(got, buf); string(buf) != "hello" || err != nil {
			t.Errorf("%q, %v", buf, err)
		}
	})
}

// An end that could not be sent stays.
func TestEndStaysIfSendFails(t *testing.T) {
	needRights(t)
	a, b := socketpair(t, "unix")
	peer := asConn(t, a)
	x, y := connPair(t, "unix")
	y.Close()
	if _, _, err := x.WriteMsgUnix([]byte("x"), syscall.UnixRights(b), nil); !errors.Is(err, syscall.EPIPE) {
		t.Error(err)
	}
	if err := syscall.Sendmsg(b, []byte("here"), nil, nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Close(b); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(peer); string(got) != "here" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// What nobody takes is closed.
func TestUnreadEndIsClosed(t *testing.T) {
	needRights(t)
	a, b := socketpair(t, "unix")
	peer := asConn(t, a)
	x, y := connPair(t, "unix")
	if _, _, err := x.WriteMsgUnix([]byte("x"), syscall.UnixRights(b), nil); err != nil {
		t.Fatal(err)
	}
	syscall.Close(b)
	if _, err := y.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

// A listener that has been sent removes its socket file when it is closed, as package net's does,
// unless it was told not to.
func TestUnlinkOfASentListener(t *testing.T) {
	needRights(t)
	path := socketPath(t)
	l := listen(t, "unix", path)
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	fd := sendFD(t, int(f.Fd()))
	defer syscall.Close(fd)
	f.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("it was removed already: %v", err)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Lstat: %v", err)
	}
}
