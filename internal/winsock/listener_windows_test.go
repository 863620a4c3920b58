package winsock

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"afunix/internal/leaktest"
)

func TestListenerAcceptsConns(t *testing.T) {
	leaktest.Check(t)
	addresses := []string{"127.0.0.1:0"}
	if nettest.SupportsIPv6() {
		addresses = append(addresses, "[::1]:0")
	}
	for _, address := range addresses {
		l := newListener(t, address)
		for range 3 {
			client, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := server.RemoteAddr().String(), client.LocalAddr().String(); got != want {
				t.Errorf("remote address is %v, want %v", got, want)
			}
			if got, want := server.LocalAddr().String(), l.Addr().String(); got != want {
				t.Errorf("local address is %v, want %v", got, want)
			}
			mustWrite(t, client, []byte("ping"))
			mustRead(t, server, make([]byte, 4))
			if err := server.(*Conn).CloseWrite(); err != nil {
				t.Error(err)
			}
			if _, err := client.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the client reads %v, want EOF", err)
			}
			client.Close()
			server.Close()
		}
	}
}

func TestAcceptEndsAtItsDeadline(t *testing.T) {
	l := newListener(t, "127.0.0.1:0")
	for _, after := range []time.Duration{-time.Second, 50 * time.Millisecond} {
		start := time.Now()
		if err := l.SetDeadline(start.Add(after)); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if c != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("accepted %v, %v", c, err)
		}
		if took := time.Since(start); took < after {
			t.Errorf("it ended after %v, before the deadline", took)
		}
	}
	if err := l.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
}

func TestCloseWakesAccept(t *testing.T) {
	leaktest.Check(t)
	l := newListener(t, "127.0.0.1:0")
	failed := make(chan error, 3)
	for range cap(failed) {
		go func() {
			_, err := l.Accept()
			failed <- err
		}()
	}
	waitBlocked(t, l.s, &l.s.reading)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	give := time.After(soon)
	for range cap(failed) {
		select {
		case err := <-failed:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("error is %v, want net.ErrClosed", err)
			}
		case <-give:
			t.Fatal("Accept did not return")
		}
	}
}

func TestListenerErrorsAreThoseOfPackageNet(t *testing.T) {
	for name, provoke := range map[string]func(l net.Listener) error{
		"accept after Close": func(l net.Listener) error { l.Close(); _, err := l.Accept(); return err },
		"Close after Close":  func(l net.Listener) error { l.Close(); return l.Close() },
		"deadline": func(l net.Listener) error {
			_ = l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(-1))
			_, err := l.Accept()
			return err
		},
	} {
		theirs, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got, want := provoke(newListener(t, "127.0.0.1:0")), provoke(theirs)
		theirs.Close()
		g, w := got.(*net.OpError), want.(*net.OpError)
		if g.Op != w.Op || g.Net != w.Net || g.Err.Error() != w.Err.Error() || g.Timeout() != w.Timeout() ||
			(g.Source == nil) != (w.Source == nil) || (g.Addr == nil) != (w.Addr == nil) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
