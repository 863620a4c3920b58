package apitest

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"afunix"
)

// crowded returns a listener at the path whose backlog has no room: a Dial that does not wait says
// so.
func crowded(t *testing.T, tr afunix.Transport, network, path string) *afunix.Listener {
	t.Helper()
	l, err := (&afunix.ListenConfig{Transport: tr, Backlog: 1}).Listen(t.Context(), network, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		c, err := (&afunix.Dialer{Transport: tr}).DialContext(t.Context(), network, path)
		if err == nil {
			guard(t, c)
			continue
		}
		if !errors.Is(err, noRoom()) {
			t.Fatalf("the backlog is full: %v; want %v", err, noRoom())
		}
		return l
	}
	t.Fatal("a backlog of 1 has room for 10")
	return nil
}

// noRoom is what connect(2) says of a backlog without room.
func noRoom() error {
	if runtime.GOOS == "linux" || runtime.GOOS == "windows" {
		return syscall.EAGAIN
	}
	return syscall.ECONNREFUSED
}

// Those who have a bound wait until somebody is accepted, however many they are.
func TestDialWaitsForRoomInTheBacklog(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		l := crowded(t, tr, network, path)
		const clients = 10
		dialled := make(chan error, clients)
		for range clients {
			go func() {
				d := afunix.Dialer{Transport: tr, Timeout: patience}
				c, err := d.DialContext(t.Context(), network, path)
				if err == nil {
					err = c.Close()
				}
				dialled <- err
			}()
		}
		go func() {
			for {
				c, err := l.AcceptConn()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		for range clients {
			if err := within(t, "Dial", func() error { return <-dialled }); err != nil {
				t.Error(err)
			}
		}
	})
}

// Time is up: the error says what there was no room for.
func TestDialHasNoRoomInTime(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		crowded(t, tr, network, path)
		for name, dial := range map[string]func() (*afunix.Conn, error){
			"Timeout": func() (*afunix.Conn, error) {
				d := afunix.Dialer{Transport: tr, Timeout: 500 * time.Millisecond}
				return d.DialContext(t.Context(), network, path)
			},
			"a deadline": func() (*afunix.Conn, error) {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				return (&afunix.Dialer{Transport: tr}).DialContext(ctx, network, path)
			},
		} {
			_, err := dial()
			var e net.Error
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, syscall.EAGAIN) || !errors.As(err, &e) || !e.Timeout() {
				t.Errorf("%s: %v; want context.DeadlineExceeded and EAGAIN", name, err)
			}
		}
	})
}

// A context that can be cancelled is no bound, but ends the wait of who has one.
func TestDialForRoomIsCancelled(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		crowded(t, tr, network, path)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := (&afunix.Dialer{Transport: tr}).DialContext(ctx, network, path); !errors.Is(err, noRoom()) {
			t.Errorf("no bound: %v; want %v", err, noRoom())
		}
		time.AfterFunc(20*time.Millisecond, cancel)
		d := afunix.Dialer{Transport: tr, Timeout: patience}
		if _, err := d.DialContext(ctx, network, path); !errors.Is(err, context.Canceled) || errors.Is(err, syscall.EAGAIN) {
			t.Errorf("cancelled: %v; want context.Canceled", err)
		}
	})
}

// A client that waits keeps the name that it has bound.
func TestDialFromANameWaitsForRoom(t *testing.T) {
	each(t, listened, func(t *testing.T, tr afunix.Transport, network string) {
		path := socketPath(t)
		l := crowded(t, tr, network, path)
		local := &net.UnixAddr{Name: path + ".client", Net: network}
		dialled := make(chan error, 1)
		go func() {
			d := afunix.Dialer{Transport: tr, Timeout: patience, LocalAddr: local}
			c, err := d.DialContext(t.Context(), network, path)
			if err == nil {
				err = c.Close()
			}
			dialled <- err
		}()
		for late := time.Now().Add(patience); ; runtime.Gosched() { // the first try leaves its file
			if _, err := os.Lstat(local.Name); err == nil {
				break
			}
			if time.Now().After(late) {
				t.Fatal("the name is not bound")
			}
		}
		for name := ""; name != local.Name; {
			c, err := l.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			name = c.RemoteAddr().String()
			c.Close()
		}
		if err := <-dialled; err != nil {
			t.Error(err)
		}
		expectFile(t, local.Name, true)
	})
}
